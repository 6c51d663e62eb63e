// Looking a robot over on the Setup page: check it, read what to do, see what its cameras saw.

import { make, setShown, setText } from "../live/paint.js";
import { answerOf, count, robotAddress, send } from "./api.js";

const LOOK_EVERY_MS = 300;
const LEVELS = {
  blocking: { mark: "✗", word: "must be remedied" },
  warning: { mark: "!", word: "should know" },
  ok: { mark: "✓", word: "as it should be" },
};
const WORST_FIRST = ["blocking", "warning", "ok"];

// What it comes to, in a line.
export function verdict(check) {
  if (check.state === "none") return { level: "", text: "Not checked yet." };
  if (check.state === "running") return { level: "", text: "" };
  if (check.state === "failed") return { level: "blocking", text: check.message };
  const number = (level) => check.findings.filter((finding) => finding.level === level).length;
  if (check.may_move === null) return { level: "", text: "Cameras only: check it wholly before it moves." };
  if (!check.may_move) {
    return { level: "blocking", text: `It may not move yet: ${count(number("blocking"), "thing")} to remedy first.` };
  }
  const warnings = number("warning");
  if (!warnings) return { level: "ok", text: "It may move." };
  return { level: "warning", text: `It may move; ${count(warnings, "warning")} to read first.` };
}

function findingLine({ check, level, message, remedy }) {
  const line = make("li", "check-finding");
  line.dataset.level = level;
  const { mark, word } = LEVELS[level];
  const sign = make("span", "check-mark", mark);
  sign.title = word;
  const words = make("div");
  words.append(make("b", "", check), make("span", "check-level", word), make("p", "", message));
  if (remedy) words.append(make("p", "check-remedy", `→ ${remedy}`));
  line.append(sign, words);
  return line;
}

export class CheckPanel {
  #parts;
  #name = "";
  #busy = false;

  constructor(parts) {
    this.#parts = parts;
    parts.check.addEventListener("click", () => this.#look(false));
    parts.refresh.addEventListener("click", () => this.#look(true));
  }

  get #address() {
    return robotAddress(this.#name);
  }

  async choose(name) {
    this.#name = name;
    await this.#tell(async () => {
      const check = await answerOf(fetch(`${this.#address}/check`));
      // Another one was chosen meanwhile.
      if (name !== this.#name) return;
      this.#show(check);
      if (check.state === "running") this.#follow();
    });
  }

  async #look(camerasOnly) {
    if (this.#busy) return;
    this.#busy = true;
    this.#parts.robot.disabled = true;
    const asked = send("POST", `${this.#address}/check`, { cameras_only: camerasOnly });
    this.#show({ state: "running", looking_at: "", findings: [], pictures: [] }, camerasOnly);
    const timer = setInterval(() => this.#progress(), LOOK_EVERY_MS);
    await this.#tell(async () => this.#show(await asked));
    clearInterval(timer);
    this.#busy = false;
    this.#parts.robot.disabled = false;
  }

  // Somebody else's check, or one from before a reload.
  #follow() {
    const timer = setInterval(async () => {
      if (this.#busy || !this.#parts.check.isConnected) return clearInterval(timer);
      const check = await this.#progress();
      if (check && check.state !== "running") {
        clearInterval(timer);
        this.#show(check);
      }
    }, LOOK_EVERY_MS);
  }

  async #progress() {
    try {
      const check = await answerOf(fetch(`${this.#address}/check`));
      if (check.state === "running") this.#showProgress(check);
      return check;
    } catch {
      // The request that waits for the end says what went wrong.
      return null;
    }
  }

  async #tell(work) {
    try {
      await work();
    } catch (error) {
      this.#show({ state: "failed", message: error.message, findings: [], pictures: [] });
    }
  }

  #showProgress({ looking_at: what, began_s: began }) {
    const seconds = began ? ` · ${Math.max(0, Math.round(Date.now() / 1000 - began))} s` : "";
    setText(this.#parts.progress, `${what ? `Looking at ${what}` : "Loading its drivers"} …${seconds}`);
  }

  #show(check, keepFindings = false) {
    const parts = this.#parts;
    const running = check.state === "running";
    parts.check.disabled = running;
    parts.refresh.disabled = running;
    setShown(parts.progress, running);
    if (running) this.#showProgress(check);
    const { level, text } = verdict(check);
    setText(parts.verdict, level ? `${LEVELS[level].mark} ${text}` : text);
    parts.verdict.dataset.level = level;
    setShown(parts.verdict, Boolean(text));
    if (keepFindings) return;
    const sorted = WORST_FIRST.map((wanted) => check.findings.filter((finding) => finding.level === wanted));
    parts.findings.replaceChildren(...sorted.flat().map(findingLine));
    this.#showPictures(check);
  }

  #showPictures({ pictures, ended_s: taken }) {
    const figures = pictures.map((camera) => {
      const figure = make("figure");
      const image = make("img");
      image.alt = `what ${camera} sees`;
      image.src = `${this.#address}/pictures/${encodeURIComponent(camera)}.jpg?taken=${taken}`;
      figure.append(image, make("figcaption", "", camera));
      return figure;
    });
    this.#parts.pictures.replaceChildren(...figures);
    setShown(this.#parts.cameras, pictures.length > 0);
  }
}
