// Keys of the page: which are held, and which are commands.
//
// Listeners sit on the window in the capture phase, so that no component reacts to a driving key.
// Nothing is taken from a person who types, with one exception: the stop key always stops.

const TEXT_INPUTS = /^(text|search|number|email|url|password|tel|date|time)$/;

function targetOf(event) {
  return event.composedPath()[0];
}

export function isTyping(event) {
  const target = targetOf(event);
  if (!(target instanceof Element)) return false;
  return (
    target.isContentEditable ||
    /^(TEXTAREA|SELECT)$/.test(target.tagName) ||
    (target.tagName === "INPUT" && TEXT_INPUTS.test(target.type))
  );
}

// Enter and Space on a button reached with Tab press that button.
function pressesButton(event) {
  const target = targetOf(event);
  return (
    (event.code === "Enter" || event.code === "Space") &&
    target instanceof Element &&
    target.matches("button:focus-visible, a:focus-visible, input:focus-visible")
  );
}

export class Keyboard {
  #keys;
  #on;
  #held = new Set();

  // `keys` is an indexed profile. `on` has held(codes), command(name), enlarge(), undo(), help(),
  // focus(bool) and escape(): true when Escape was used up by an open dialog.
  constructor({ keys, on, signal }) {
    this.#keys = keys;
    this.#on = on;
    const listen = (target, type, handler) =>
      target.addEventListener(type, handler, { capture: true, signal });
    listen(window, "keydown", (event) => this.#down(event));
    listen(window, "keyup", (event) => this.#up(event));
    // In the capture phase the blur of every element passes here; only the window's own counts.
    listen(window, "blur", (event) => event.target === window && this.#unfocus());
    listen(window, "focus", (event) => event.target === window && on.focus(true));
    listen(window, "pagehide", () => this.#unfocus());
    listen(window, "pointerdown", () => on.focus(true));
    listen(document, "visibilitychange", () => {
      if (document.hidden) this.#unfocus();
      else on.focus(document.hasFocus());
    });
    listen(window, "focusin", (event) => {
      if (isTyping(event)) this.releaseAll();
    });
  }

  // Another profile: what is held under the old one is let go.
  setKeys(keys) {
    if (keys.name === this.#keys.name) return;
    this.releaseAll();
    this.#keys = keys;
  }

  releaseAll() {
    this.#held.clear();
    this.#on.held([]);
  }

  #unfocus() {
    this.#held.clear();
    this.#on.focus(false);
  }

  #down(event) {
    this.#on.focus(true);
    const command = this.#keys.commandAt.get(event.code);
    const stops =
      command === "stop" || (event.code === "Escape" && event.ctrlKey);
    if (stops) {
      this.#swallow(event);
      if (!event.repeat && !(event.code === "Escape" && this.#on.escape())) this.#on.command("stop");
      return;
    }
    if (event.isComposing || isTyping(event) || pressesButton(event)) return;
    if ((event.ctrlKey || event.metaKey) && event.code === "KeyZ" && !event.shiftKey) {
      this.#swallow(event);
      if (!event.repeat) this.#on.undo();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (this.#held.size > 0) this.releaseAll();
      return;
    }
    const jog = this.#keys.jogAt.get(event.code);
    if (jog !== undefined) {
      this.#swallow(event);
      if (!event.repeat) {
        this.#held.add(jog);
        this.#on.held(this.#held);
      }
    } else if (command !== undefined) {
      this.#swallow(event);
      if (event.code === "Escape" && this.#on.escape()) return;
      if (!event.repeat) this.#on.command(command);
    } else if (event.key === "?") {
      this.#swallow(event);
      this.#on.help();
    } else if (event.code === "KeyZ" && !event.repeat) {
      this.#swallow(event);
      this.#on.enlarge();
    }
  }

  #up(event) {
    const jog = this.#keys.jogAt.get(event.code);
    if (jog !== undefined && this.#held.delete(jog)) {
      this.#swallow(event);
      this.#on.held(this.#held);
    }
  }

  #swallow(event) {
    event.preventDefault();
    event.stopPropagation();
  }
}
