"""One server with its pages and one browser for all tests; nothing may be fetched elsewhere.

Chromium comes from the system: `HANDRAIL_CHROMIUM` names another one.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from app.main import Handrail
from backend.settings import Settings
from tests.browser.live_page import PATIENCE_MS
from tests.browser.scripted_actor import ScriptedActor

FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]


class ServedPages:
    """Handrail in this process, in a thread, as `python -m app` runs it."""

    def __init__(self, settings: Settings) -> None:
        ready = threading.Event()
        self.handrail = Handrail(settings, ready=ready.set)
        self.url = self.handrail.url
        self.data_dir = settings.data_dir
        self._thread = threading.Thread(target=self.handrail.serve)
        self._thread.start()
        assert ready.wait(timeout=30), "the server did not start"

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws")

    def close(self) -> None:
        self.handrail.stop()
        self._thread.join(timeout=20)
        assert not self._thread.is_alive(), "the server did not stop"


# Not for the whole run: while it is open, no other test could run an event loop in this thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = os.environ.get("HANDRAIL_CHROMIUM") or "/usr/bin/chromium"
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        # Other tests keep the machine busy meanwhile: slow is no reason to fail.
        expect.set_options(timeout=PATIENCE_MS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPages]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("pages") / "data", port=0, actor=False)
    with contextlib.closing(ServedPages(settings)) as served:
        yield served


@pytest.fixture
def actor(served: ServedPages) -> Iterator[ScriptedActor]:
    with contextlib.closing(ScriptedActor(served.ws_url, served.data_dir)) as actor:
        yield actor


class Complaints:
    """What went wrong in the pages of one test, whichever way the browser said so."""

    def __init__(self, host: str) -> None:
        self._host = host
        # Parts of console messages that a test provokes on purpose.
        self.expected: tuple[str, ...] = ()
        self._found: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._found.append(f"page error: {error}"))
        page.on("console", self._console)
        page.on("request", lambda request: self._request(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._found.append(f"console: {message.text} ({message.location.get('url')})")

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self._host:
            self._found.append(f"foreign request: {url}")

    @property
    def found(self) -> list[str]:
        return [text for text in self._found if not any(part in text for part in self.expected)]


@pytest.fixture
def complaints(served: ServedPages) -> Iterator[Complaints]:
    complaints = Complaints(urlsplit(served.url).netloc)
    yield complaints
    assert complaints.found == []


@pytest.fixture
def open_page(
    browser: Browser, served: ServedPages, complaints: Complaints
) -> Iterator[Callable[..., Page]]:
    """Opens a page as a person of the given name, each in a browser profile of its own."""
    contexts: list[BrowserContext] = []

    def open_page(
        name: str = "Ana",
        path: str = "/",
        *,
        width: int = 1440,
        height: int = 900,
        dark: bool = False,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        context.add_cookies([{"name": "handrail_name", "value": name, "url": served.url}])
        page = context.new_page()
        complaints.watch(page)
        page.goto(served.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def screenshots() -> Path:
    folder = Path("artifacts/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
