"""What tests say about the Live page in a person's words."""

from playwright.sync_api import Page, expect

# Chromium, the server and the actor share two cores with other tests.
PATIENCE_MS = 30_000


class LivePage:
    """The Live page in one browser."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.phase_word = page.locator("[data-part=phase-word]")
        self.phase_note = page.locator("[data-part=phase-note]")
        self.lease = page.locator("[data-part=lease-text]")
        self.lease_button = page.locator("[data-part=lease-button]")
        self.inactive = page.locator("[data-part=unfocused]")
        self.banner = page.locator("[data-part=banner]")
        self.toasts = page.locator("[data-part=toasts]")
        self.lost = page.locator("[data-part=lost]")
        self.task = page.locator("[data-part=task]")
        self.help = page.locator("[data-part=help]")

    def says(self, word: str, *, timeout_s: float = PATIENCE_MS / 1000) -> None:
        try:
            expect(self.phase_word).to_have_text(word, timeout=timeout_s * 1000)
        except AssertionError as error:
            told = self.toasts.inner_text()
            raise AssertionError(f"{error}\nThe page told: {told or 'nothing'}") from None

    def lease_says(self, text: str) -> None:
        expect(self.lease).to_have_text(text, timeout=PATIENCE_MS)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def button(self, command: str) -> None:
        self.page.locator(f"[data-command={command}]").click()

    def label_of(self, command: str) -> str:
        return self.page.locator(f".command[data-command={command}] .command-label").inner_text()

    def key_of(self, command: str) -> str:
        return self.page.locator(f"[data-command={command}] kbd").inner_text()

    def offers(self, command: str) -> None:
        button = self.page.locator(f".command[data-command={command}]")
        expect(button).to_have_attribute("data-possible", "yes", timeout=PATIENCE_MS)

    def refuses(self, command: str) -> None:
        button = self.page.locator(f".command[data-command={command}]")
        expect(button).to_have_attribute("data-possible", "no", timeout=PATIENCE_MS)

    def open_session(self) -> None:
        self.says("NO SESSION")
        self.button("open")
        self.says("READY")

    def start(self, key: str = "2") -> None:
        self.press_until(key, "POLICY DRIVES")

    def take_over(self, key: str = "5") -> None:
        self.press_until(key, "HUMAN DRIVES")

    def press_until(self, key: str, word: str) -> None:
        """Press a command's key, and again each time that it came too late and was dropped.

        A command is dropped when it is a second old, which a busy machine takes now and then.
        """
        dropped = self.toasts.get_by_text("was dropped")
        while True:
            self.press(key)
            said = self.phase_word.and_(self.page.get_by_text(word, exact=True))
            try:
                expect(said.or_(dropped).first).to_be_visible(timeout=PATIENCE_MS)
            except AssertionError:
                break
            if dropped.count() == 0:
                break
            self.toasts.locator(".toast", has=dropped).get_by_label("Dismiss").click()
        self.says(word)

    def waits_for_pictures(self) -> None:
        """Wait until every camera has shown a few frames."""
        self.page.wait_for_function(
            "() => { const all = [...document.querySelectorAll('canvas[data-camera]')];"
            " return all.length > 0 && all.every(c => Number(c.dataset.frames) > 3) }",
            timeout=PATIENCE_MS,
        )

    def frames(self) -> int:
        """Frames drawn by the first camera."""
        shown = self.page.locator("canvas[data-camera]").first.get_attribute("data-frames")
        return int(shown or 0)

    def lose_focus(self) -> None:
        """What the browser reports when another window comes to the front."""
        self.page.evaluate("() => window.dispatchEvent(new Event('blur'))")

    def regain_focus(self) -> None:
        self.page.evaluate("() => window.dispatchEvent(new Event('focus'))")
