// What this browser's user may do. The server decides; the page only greys what it would refuse.

import { get } from "./api.js";

const ROLES = ["viewer", "labeler", "operator", "admin"];

export class Rights {
  // Until the server has said: everything, and the server refuses what is too much.
  #role = "admin";

  async ask() {
    try {
      this.#role = (await get("/api/user")).role;
    } catch {
      // Whoever asks the server next says that it is gone.
    }
  }

  // Why the user may not do it, for a button's title; "" when he may.
  refusal(role, what) {
    if (ROLES.indexOf(this.#role) >= ROLES.indexOf(role)) return "";
    return `To ${what} takes the role ${role}, you are ${this.#role}: enter with a token for it at /enter.`;
  }
}
