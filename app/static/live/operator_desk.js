// The one path of everything a person commands, by key, button or gamepad, and what came of it.

const RERECORD_WITHIN_MS = 60000;

export class OperatorDesk {
  #view;
  #drive;
  #notices;
  #task;
  #restart_until = 0;

  // `task` is the text field whose words go with the next start.
  constructor({ view, drive, notices, task }) {
    this.#view = view;
    this.#drive = drive;
    this.#notices = notices;
    this.#task = task;
  }

  // Send a command if this page may; the server says whether it is possible. True when sent.
  command(command, params = {}) {
    if (command === "rerecord") return this.#rerecord();
    this.#restart_until = 0;
    if (command !== "stop" && !this.#mayCommand()) return false;
    this.#drive.muted = "";
    this.#drive.command(command, command === "start" ? this.#startParams() : params);
    return true;
  }

  #mayCommand() {
    const { holder, mine } = this.#drive.lease;
    if (!mine && holder !== null) return this.#refuse(`${holder} drives.`, "Ask for the lease first.");
    if (!this.#view.mayOperate) return this.#refuse("Your role may watch and stop, not drive.");
    return true;
  }

  #refuse(message, hint = "") {
    this.#notices.toast("warning", message, { hint, key: "refused" });
    return false;
  }

  #startParams() {
    const task = this.#task.value.trim();
    return this.#view.phase === "idle" && task ? { task } : {};
  }

  // End without a grade, and start again as soon as the robot is back at its start.
  #rerecord() {
    if (this.#view.phase === "idle") return this.command("start");
    const sent = this.command("abort");
    if (sent) this.#restart_until = performance.now() + RERECORD_WITHIN_MS;
    return sent;
  }

  // The phase has changed: a re-recording may go on, or is off.
  phaseChanged() {
    const { phase } = this.#view;
    if (phase === "idle" && performance.now() < this.#restart_until && this.#drive.active) {
      this.command("start");
    } else if (phase === "stopped" || phase === "closed") {
      this.#restart_until = 0;
    }
  }

  // The server's answer to one of this page's commands.
  answered(command, answer) {
    if (!answer.accepted) {
      this.#restart_until = 0;
      const { message, hint } = answer.error ?? { message: `${command} was refused`, hint: "" };
      this.#notices.toast("warning", message, { hint, key: "refused" });
    } else if (command === "success" || command === "failure") {
      this.#notices.graded(command, this.#view.lastNumber, () => this.undo());
    }
  }

  // Nothing is sent again by itself: later it could be wrong.
  undelivered(command) {
    this.#notices.toast("error", `“${command}” did not reach the server.`, {
      hint: "The link is being made again; then press it once more.", key: "undelivered",
    });
  }

  // Take back the grade that this person gave last.
  async undo() {
    if (!this.#view.session?.last_episode_id) {
      this.#refuse("There is no grade to take back.");
      return;
    }
    try {
      const reply = await fetch("/api/labels/undo", {
        method: "POST", headers: { "content-type": "application/json" }, body: "{}",
      });
      const body = await reply.json();
      if (reply.ok) {
        this.#notices.hideGrade();
        this.#notices.toast("info", "The last grade was taken back.", { hint: "The episode is kept." });
      } else {
        this.#notices.toast("warning", body.error.message, { hint: body.error.hint });
      }
    } catch {
      this.#notices.toast("error", "The grade was not taken back: no answer from the server.");
    }
  }
}
