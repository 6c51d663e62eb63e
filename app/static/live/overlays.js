// What lies across the page when the page cannot do its work: no link, no focus, an undelivered stop.

import { make, setData, setShown, setText } from "./paint.js";

const LOST_AFTER_MS = 400;

export class Overlays {
  #parts;
  #lostSince = null;
  #title = make("strong");
  #advice = make("span");
  #state = make("span", "lost-state");
  #stopFailed = false;

  constructor(parts) {
    this.#parts = parts;
    parts.lost.append(this.#title, this.#advice, this.#state);
  }

  // A stop that reached nobody is said until the link is back.
  stopUndelivered() {
    this.#stopFailed = true;
    this.#lostSince ??= performance.now() - LOST_AFTER_MS;
  }

  render(view) {
    this.#link(view);
    this.#focus(view);
  }

  #link(view) {
    const { lost } = this.#parts;
    if (view.linked) {
      this.#lostSince = null;
      this.#stopFailed = false;
      setShown(lost, false);
      return;
    }
    this.#lostSince ??= performance.now();
    setShown(lost, performance.now() - this.#lostSince >= LOST_AFTER_MS);
    setData(lost, "urgent", this.#stopFailed ? "yes" : "no");
    if (this.#stopFailed) {
      setText(this.#title, "STOP did not get through");
      setText(this.#advice, "Use the robot's emergency stop. Without this page the robot holds by itself within a second.");
    } else {
      setText(this.#title, view.everLinked ? "Link to Handrail lost" : "Connecting to Handrail");
      setText(this.#advice, view.everLinked
        ? "Keys and buttons do nothing now. A robot that was driven from here holds by itself within a second."
        : "The server has not answered yet.");
    }
    setText(this.#state, view.attempts > 3
      ? `Still trying. Is Handrail running at ${location.host}? Start it with ./run; this page comes back by itself.`
      : "Trying again …");
  }

  #focus(view) {
    const driving = view.lease.mine && view.linked;
    const inactive = driving && (!view.focused || view.muted !== "");
    setShown(this.#parts.unfocused, inactive);
    setData(document.body, "hrInactive", inactive ? "yes" : "no");
    setText(this.#parts.unfocused, view.muted
      ? `${view.muted} Press a driving key to go on`
      : "Keys inactive: click here");
  }
}
