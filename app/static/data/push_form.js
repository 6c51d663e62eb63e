// Pushing a dataset to the Hub: only when asked, private by default, and only after saying what goes where.

import { post, startJob } from "../training/api.js";
import { button, confirmed, field, h } from "../training/dom.js";
import { counted, size } from "../training/words.js";
import { gate } from "./roles.js";

const TYPED_MS = 300;

export class PushForm {
  #page;
  #repoId = "";
  #typed = null;
  #asked = 0;
  #to = h("input", { placeholder: "account/name", "aria-label": "name on the Hub", spellcheck: "false", on: { input: () => this.#later() } });
  #public = h("input", { type: "checkbox", on: { change: () => this.#look() } });
  #words = h("div", { class: "da-plan", role: "status" });
  #go = button("Push to the Hub", () => this.#push());
  #plan = null;

  constructor(page) {
    this.#page = page;
    this.element = h("details", { class: "dk-panel da-push" },
      h("summary", {}, "Push to the Hugging Face Hub"),
      h("p", { class: "dk-quiet" }, "Nothing leaves this machine unless an admin pushes it here. The token comes from the server's environment (HF_TOKEN); it is never stored or shown."),
      h("div", { class: "da-row" }, field("name on the Hub", this.#to), h("label", { class: "dk-check" }, this.#public, " public: everybody may read it"), this.#go),
      this.#words);
  }

  use(dataset) {
    if (dataset.repo_id !== this.#repoId) {
      this.#repoId = dataset.repo_id;
      this.#to.value = dataset.repo_id.startsWith("local/") ? "" : dataset.repo_id;
      this.#public.checked = false;
      this.element.open = false;
    }
    this.#look();
  }

  get #params() {
    return { repo_id: this.#repoId, to: this.#to.value.trim(), private: !this.#public.checked };
  }

  #later() {
    clearTimeout(this.#typed);
    this.#typed = setTimeout(() => this.#look(), TYPED_MS);
  }

  async #look() {
    const asked = ++this.#asked;
    this.#plan = null;
    let problem = this.#to.value.trim() ? "" : "Name the dataset on the Hub: your account, a slash, a word.";
    if (!problem) {
      try {
        this.#plan = await post("/api/datasets/push-preview", { params: this.#params });
        if (!this.#plan.has_token) problem = "HF_TOKEN is not set: start the server with a token of your Hub account that may write.";
      } catch (refusal) {
        problem = refusal.message;
      }
    }
    if (asked !== this.#asked) return;
    const why = gate(this.#go, this.#page.role, "admin", problem);
    this.#words.replaceChildren(...[this.#plan && h("p", {}, statement(this.#plan)), why && h("p", { class: "dk-quiet" }, why)].filter(Boolean));
  }

  async #push() {
    const plan = this.#plan;
    const yes = await confirmed({
      title: `Push ${plan.repo_id} to the Hub?`, yes: plan.private ? "Push, private" : "Push, public", danger: !plan.private,
      lines: [statement(plan), plan.private ? "Private: only your account and whom you permit there can read it." : "PUBLIC: everybody can read and copy it, videos included."],
    });
    if (yes) await this.#page.doing(() => startJob("push", this.#params));
  }
}

// What goes where, in one sentence.
export function statement(plan) {
  const stays = plan.stays_here.length ? ` Stays here: ${plan.stays_here.join(", ")}.` : "";
  return `${counted(plan.files, "file")}, ${size(plan.size_bytes)} (${plan.folders.join(", ")}) go to ${plan.url}, ${plan.private ? "private" : "public"}.${stays}`;
}
