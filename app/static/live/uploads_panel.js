// Episodes that are stuck on their way from the robot's computer: why, and what one can do about it.
//
// Those that come as they should are a line among the counts. Here is what the server cannot take, and
// what nothing is heard of any more; whatever is put away is kept in a folder `discarded`.

import { post } from "./answers.js";
import { make, setShown, setText } from "./paint.js";
import { clock, percent } from "./units.js";
import { sentence } from "./wording.js";

// Between two attempts an upload waits for at most 30 s.
const QUIET_S = 60;
const CONFIRM_WITHIN_MS = 4000;
const MOST = 3;
const ROLE = "Your role may watch, not decide.";

export class UploadsPanel {
  #root;
  #notices;
  #rows = new Map();
  #list = make("div", "uploads-list");
  #rest = make("span", "uploads-rest");

  constructor({ root, notices }) {
    this.#root = root;
    this.#notices = notices;
    root.append(make("strong", "", "Episodes that do not arrive"), this.#list, this.#rest);
  }

  // Four times a second.
  render(view) {
    const stuck = stuckUploads(view);
    setShown(this.#root, stuck.length > 0);
    const shown = stuck.slice(0, MOST);
    for (const [id, row] of this.#rows) {
      if (shown.some((upload) => upload.episode_id === id)) continue;
      row.root.remove();
      this.#rows.delete(id);
    }
    for (const upload of shown) this.#row(upload.episode_id).render(upload, view);
    setText(this.#rest, stuck.length > MOST ? `and ${stuck.length - MOST} more` : "");
  }

  #row(id) {
    if (!this.#rows.has(id)) {
      const row = new Row((what) => this.#decide(id, what));
      this.#rows.set(id, row);
      this.#list.append(row.root);
    }
    return this.#rows.get(id);
  }

  async #decide(id, what) {
    try {
      const { done } = await post(`/api/uploads/${id}/${what}`);
      this.#notices.toast("info", `Episode ${id.slice(0, 8)}: ${WORDS[done]}`, { key: `upload-${id}` });
    } catch (error) {
      this.#notices.toast("warning", error.message, { hint: error.hint ?? "", key: `upload-${id}` });
    }
  }
}

const WORDS = {
  retried: "the robot's computer was asked to bring it.",
  discarded: "it is in the folder “discarded” of the robot's computer.",
  given_up: "it is no longer expected. What came of it is in the folder “discarded”.",
};

// One episode with its two buttons; discarding is asked twice.
class Row {
  root = make("div", "uploads-row");
  #why = make("span", "uploads-why");
  #retry = make("button", "small", "Try again");
  #discard = make("button", "small", "");
  #asked_at = -Infinity;

  constructor(decide) {
    for (const button of [this.#retry, this.#discard]) button.type = "button";
    this.#retry.addEventListener("click", () => {
      this.#retry.blur();
      decide("retry");
    });
    this.#discard.addEventListener("click", () => {
      this.#discard.blur();
      const sure = this.#sure;
      this.#asked_at = sure ? -Infinity : performance.now();
      if (sure) decide("discard");
    });
    this.root.append(this.#why, this.#retry, this.#discard);
  }

  get #sure() {
    return performance.now() - this.#asked_at < CONFIRM_WITHIN_MS;
  }

  render(upload, view) {
    const refused = upload.problem !== "";
    setText(this.#why, why(upload, view.serverNow_s));
    this.#why.title = upload.episode_id;
    setShown(this.#retry, view.actor?.state === "connected");
    const [once, twice] = refused ? ["Discard…", "Put it away?"] : ["Give up…", "Expect it no longer?"];
    setText(this.#discard, this.#sure ? twice : once);
    for (const button of [this.#retry, this.#discard]) {
      button.disabled = !(view.mayOperate && view.linked);
      button.title = view.mayOperate ? "" : ROLE;
    }
  }
}

// What the server cannot take, and what nothing is heard of; all of them come one after the other.
export function stuckUploads({ session, episode, actor, serverNow_s }) {
  const coming = (session?.uploads ?? []).filter((upload) => upload.episode_id !== episode?.id);
  const newest_s = Math.max(...coming.map((upload) => upload.heard_s));
  const quiet = actor?.state !== "connected" || serverNow_s - newest_s > QUIET_S;
  const silent_s = (upload) => serverNow_s - upload.heard_s;
  return coming.filter((upload) => upload.problem || (quiet && silent_s(upload) > QUIET_S));
}

export function why({ episode_id, share, heard_s, problem }, now_s) {
  const short = episode_id.slice(0, 8);
  if (problem) return sentence(problem.replaceAll(episode_id, short));
  return `Episode ${short}: ${percent(share)} of it came, nothing for ${clock(now_s - heard_s)}. Is the robot's computer on?`;
}
