// The words and shapes of phases and commands: the same ones wherever they appear.

const SHAPES = {
  // 24 x 24, drawn with currentColor.
  link: '<path d="M5 12h4M15 12h4M9 8v8M15 8v8" stroke-width="2.6" fill="none" stroke="currentColor" stroke-linecap="round"/>',
  ring: '<circle cx="12" cy="12" r="7.5" fill="none" stroke="currentColor" stroke-width="3"/>',
  chip: '<rect x="6" y="6" width="12" height="12" rx="2.5" fill="currentColor"/><path d="M9.5 2.5v4M14.5 2.5v4M9.5 17.5v4M14.5 17.5v4M2.5 9.5h4M2.5 14.5h4M17.5 9.5h4M17.5 14.5h4" stroke="currentColor" stroke-width="2" stroke-linecap="round"/>',
  person: '<circle cx="12" cy="7" r="4.4" fill="currentColor"/><path d="M3.5 21.5c0-5 3.8-8 8.5-8s8.5 3 8.5 8z" fill="currentColor"/>',
  bars: '<rect x="5.5" y="4" width="4.6" height="16" rx="1.4" fill="currentColor"/><rect x="13.9" y="4" width="4.6" height="16" rx="1.4" fill="currentColor"/>',
  octagon: '<path d="M8 2.5h8L21.5 8v8L16 21.5H8L2.5 16V8z" fill="currentColor"/><path d="M8.5 8.5l7 7M15.5 8.5l-7 7" stroke="var(--hr-stopped)" stroke-width="2.6" stroke-linecap="round"/>',
  flag: '<path d="M6 21.5V3.5h12l-3 4.2 3 4.3H6" fill="currentColor" stroke="currentColor" stroke-width="2" stroke-linejoin="round"/>',
  turn: '<path d="M19 12a7 7 0 1 1-2.2-5.1" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round"/><path d="M20.5 2.5v6h-6z" fill="currentColor"/>',
  question: '<circle cx="12" cy="12" r="9" fill="none" stroke="currentColor" stroke-width="2.4" stroke-dasharray="4 3.4"/><path d="M12 7v6.2" stroke="currentColor" stroke-width="2.8" stroke-linecap="round"/><circle cx="12" cy="16.6" r="1.6" fill="currentColor"/>',
  eye: '<path d="M2 12c2.6-4.4 6-6.6 10-6.6s7.4 2.2 10 6.6c-2.6 4.4-6 6.6-10 6.6S4.6 16.4 2 12z" fill="none" stroke="currentColor" stroke-width="2"/><circle cx="12" cy="12" r="3.2" fill="currentColor"/>',
  check: '<path d="M4.5 12.8l5 5L19.5 6.8" fill="none" stroke="currentColor" stroke-width="3.4" stroke-linecap="round" stroke-linejoin="round"/>',
  cross: '<path d="M6 6l12 12M18 6L6 18" fill="none" stroke="currentColor" stroke-width="3.4" stroke-linecap="round"/>',
};

export function shape(name) {
  return `<svg viewBox="0 0 24 24" aria-hidden="true">${SHAPES[name]}</svg>`;
}

export const PHASES = {
  closed: { word: "NO SESSION", shape: "link" },
  idle: { word: "READY", shape: "ring" },
  policy: { word: "POLICY DRIVES", shape: "chip" },
  human: { word: "HUMAN DRIVES", shape: "person" },
  held: { word: "HELD", shape: "bars" },
  ended: { word: "ATTEMPT OVER", shape: "flag" },
  resetting: { word: "RESETTING", shape: "turn" },
  stopped: { word: "STOPPED", shape: "octagon" },
  unknown: { word: "NO CONTACT", shape: "question" },
};

const MOVING = new Set(["policy", "human", "resetting"]);

export function isMoving(phase) {
  return MOVING.has(phase);
}

// A reason as a whole sentence.
export function sentence(words) {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

// One sentence under the phase: what is going on and what to press next.
export function phaseNote(view) {
  const key = (command) => view.keys.keyOf.get(command);
  const who = view.lease.mine ? "You" : (view.lease.holder ?? "A person");
  if (view.seesSuccess && isMoving(view.phase)) return `The simulator sees success. ${key("success")} grades the attempt so.`;
  switch (view.phase) {
    case "closed":
      return view.reason ? sentence(view.reason) : "Open a session to connect the robot.";
    case "idle":
      return `The robot holds still. ${key("start")} starts the next attempt.`;
    case "policy":
      return view.policy === "hold"
        ? `“hold” keeps the robot still. ${key("intervene")} takes over.`
        : `“${view.policy}” moves the robot. ${key("intervene")} takes over.`;
    case "human":
      return view.lease.mine
        ? `You move the robot. ${key("intervene")} gives it back.`
        : `${who} moves the robot.`;
    case "held":
      return `${sentence(view.reason || "nobody drives")} ${key("start")} goes on, ${key("intervene")} takes over.`;
    case "ended":
      return "The episode is being written.";
    case "resetting":
      return "The robot moves to its start pose. Keep clear.";
    case "stopped":
      return `${sentence(view.reason || "the robot holds still")} “Clear the stop” goes on.`;
    default:
      return view.actor?.message || "Nothing is known about the robot right now.";
  }
}

// What a command would do in this phase, on its button.
export function commandLabel(command, view) {
  switch (command) {
    case "intervene":
      return view.phase === "human" ? "Give back" : "Take over";
    case "start":
      if (view.phase !== "held") return "Start attempt";
      return view.came_from === "human" ? "Drive on" : "Policy goes on";
    case "success":
      return "Success";
    case "failure":
      return "Failure";
    case "abort":
      return "End, no grade";
    case "rerecord":
      return "Re-record";
    case "clear":
      return "Clear the stop";
    case "close":
      return "Close session";
    case "open":
      return "Open session";
    default:
      return command;
  }
}
