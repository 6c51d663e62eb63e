// Opening a session with a robot and a policy, and closing it.

import { make, setData, setShown, setText } from "./paint.js";

// Closing in the middle of an attempt ends it: asked once.
const CONFIRM_WITHIN_MS = 4000;
const CONFIRM_WORDS = "End the attempt and close?";
const POLICY_WORDS = {
  hold: "“hold” keeps the arm still: you drive",
  scripted: "“scripted” is the simulator's own expert",
};

export class SessionPanel {
  #open;
  #title;
  #advice;
  #choices;
  #close;
  #closeRoot;
  #robot;
  #policy;
  #about;
  #button;
  #closeButton;
  #summary;
  #robots = [];
  // Checkpoints and published weights that can be opened, newest first.
  #versions = [];
  #chosen = false;
  #busy_until = 0;
  #attempting = false;
  #confirm_until = 0;

  // `openRoot` shows the form while there is nothing else to see, `closeRoot` what is open now.
  // `open({robot, policy})` and `close()` send the commands; open tells whether it was sent.
  constructor({ openRoot, closeRoot, open, close }) {
    this.#open = make("form", "session-open");
    this.#title = make("strong");
    this.#advice = make("p");
    this.#robot = make("select");
    this.#robot.dataset.part = "robot";
    this.#policy = make("select");
    this.#policy.dataset.part = "policy-choice";
    this.#about = make("p", "session-about");
    this.#button = make("button", "primary", "Open session");
    this.#button.type = "submit";
    this.#button.dataset.command = "open";
    this.#choices = make("div", "session-choices");
    this.#choices.append(field("robot", this.#robot), field("policy", this.#policy));
    this.#open.append(this.#title, this.#advice, this.#choices, this.#about, this.#button);
    this.#open.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#busy_until = performance.now() + 30000;
      this.#button.blur();
      const sent = open({ robot: this.#robot.value, policy: this.#policy.value });
      if (!sent) this.answered();
    });
    this.#robot.addEventListener("change", () => {
      this.#chosen = true;
      // Or else the driving keys would go on choosing in the list.
      this.#robot.blur();
      this.#offerPolicies();
    });
    this.#policy.addEventListener("change", () => {
      this.#chosen = true;
      this.#policy.blur();
      this.#describe();
    });

    this.#close = make("div", "session-close");
    this.#summary = make("span", "session-summary");
    this.#closeButton = make("button", "small", "Close session");
    this.#closeButton.type = "button";
    this.#closeButton.dataset.command = "close";
    this.#closeButton.addEventListener("click", () => {
      this.#closeButton.blur();
      if (this.#attempting && !this.#confirming) {
        this.#confirm_until = performance.now() + CONFIRM_WITHIN_MS;
        setText(this.#closeButton, CONFIRM_WORDS);
      } else {
        this.#confirm_until = 0;
        close();
      }
    });
    this.#close.append(this.#summary, this.#closeButton);
    openRoot.append(this.#open);
    closeRoot.append(this.#close);
    this.#closeRoot = closeRoot;
  }

  // Robots as GET /api/robots lists them.
  setRobots(robots) {
    this.#robots = robots;
    fill(this.#robot, robots.map((robot) => robot.name));
    this.#offerPolicies();
  }

  #offerPolicies() {
    const robot = this.#chosenRobot();
    if (robot === undefined) return;
    fill(this.#policy, [...robot.policies, ...this.#versions]);
    this.#describe();
  }

  #chosenRobot() {
    return this.#robots.find((each) => each.name === this.#robot.value);
  }

  #describe() {
    const robot = this.#chosenRobot();
    const facts = [robot?.robot_type, robot?.cameras?.join(", "), robot?.fps && `${robot.fps} Hz`];
    const about = [facts.filter(Boolean).join(" · "), POLICY_WORDS[this.#policy.value] ?? ""];
    setText(this.#about, robot?.problem || about.filter(Boolean).join(". "));
    setData(this.#about, "wrong", robot?.problem ? "yes" : "no");
  }

  get #confirming() {
    return performance.now() < this.#confirm_until;
  }

  // The command was answered: the button may be pressed again.
  answered() {
    this.#busy_until = 0;
  }

  render(view) {
    const { session } = view;
    const closed = view.phase === "closed";
    setShown(this.#closeRoot, !closed && view.phase !== "unknown");
    for (const part of [this.#choices, this.#about, this.#button]) setShown(part, closed);
    const busy = performance.now() < this.#busy_until && closed;
    const wrong = Boolean(this.#chosenRobot()?.problem);
    this.#button.disabled = busy || wrong || !view.mayDrive || !view.possible.includes("open");
    setText(this.#button, busy ? "Connecting …" : "Open session");
    const [title, advice] = invitation(view);
    setText(this.#title, title);
    setText(this.#advice, advice);
    if (session === null) return;
    this.#follow(session, closed);
    setText(this.#summary, `${session.robot} · policy ${view.policy}`);
    this.#closeButton.disabled = !view.mayDrive;
    this.#attempting = view.episode !== null;
    setText(this.#closeButton, this.#confirming ? CONFIRM_WORDS : "Close session");
  }

  // Until the person has chosen, the form shows what the server would open.
  #follow(session, closed) {
    if (this.#robots.length === 0 && session.robot) {
      this.setRobots([{ name: session.robot, policies: session.policies }]);
    }
    const versions = versionsOf(session);
    const isNew = versions.join() !== this.#versions.join();
    if (isNew) {
      this.#versions = versions;
      this.#offerPolicies();
    }
    if (this.#chosen || !closed) return;
    choose(this.#robot, session.robot);
    if (this.#policy.dataset.of === this.#robot.value && !isNew) return;
    this.#offerPolicies();
    this.#policy.dataset.of = this.#robot.value;
    choose(this.#policy, session.policy);
    this.#describe();
  }
}

function invitation(view) {
  if (view.phase === "closed") {
    return view.mayDrive
      ? ["Open a session", "It connects the robot and its cameras. Nothing moves yet."]
      : ["No session is open", "Whoever drives can open one."];
  }
  if (view.phase === "unknown") {
    return ["No contact with the robot", view.actor?.message || "Waiting for the server."];
  }
  return ["No cameras", "This robot's config names none."];
}

// What was trained: promoted weights first, even if the robot's computer has yet to fetch them.
function versionsOf({ policies, promoted }) {
  const trained = policies.filter((policy) => /[/@]/.test(policy));
  return [...new Set([...(promoted ? [promoted.policy] : []), ...trained])];
}

function field(name, control) {
  const label = make("label", "field");
  label.append(make("span", "", name), control);
  return label;
}

function fill(select, names) {
  const kept = select.value;
  select.replaceChildren(...names.map((name) => new Option(name, name)));
  choose(select, kept);
}

function choose(select, name) {
  if (name && [...select.options].some((option) => option.value === name)) select.value = name;
}
