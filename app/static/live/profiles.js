// What the keys do, as data. Codes are `KeyboardEvent.code`: places on the keyboard, not letters.
//
// Jogging speaks the teleoperator's codes on the wire. A profile whose commands need one of those
// places gives the jog another place and translates it, so that one key never means two things.

const JOG_ARROWS = [
  { place: "ArrowUp", code: "ArrowUp", does: "away from the base" },
  { place: "ArrowDown", code: "ArrowDown", does: "towards the base" },
  { place: "ArrowLeft", code: "ArrowLeft", does: "left" },
  { place: "ArrowRight", code: "ArrowRight", does: "right" },
];
const JOG_TURN = [
  { place: "KeyQ", code: "KeyQ", does: "roll left" },
  { place: "KeyE", code: "KeyE", does: "roll right" },
  { place: "KeyT", code: "KeyT", does: "pitch up" },
  { place: "KeyG", code: "KeyG", does: "pitch down" },
];
const JOG_SPEED = [
  { place: "Minus", code: "Minus", does: "slower" },
  { place: "Equal", code: "Equal", does: "faster" },
];

export const PROFILES = {
  seed: {
    title: "Seed",
    commands: [
      { place: "Digit5", also: ["Numpad5"], does: "intervene" },
      { place: "Digit1", also: ["Numpad1"], does: "success" },
      { place: "Digit0", also: ["Numpad0"], does: "failure" },
      { place: "Digit2", also: ["Numpad2"], does: "start" },
      { place: "Escape", also: ["Pause"], does: "stop" },
    ],
    jog: [
      ...JOG_ARROWS,
      { place: "KeyR", code: "KeyR", does: "up" },
      { place: "KeyF", code: "KeyF", does: "down" },
      ...JOG_TURN,
      { place: "Space", code: "Space", does: "gripper" },
      ...JOG_SPEED,
    ],
  },
  lerobot: {
    title: "LeRobot",
    commands: [
      { place: "Space", also: [], does: "intervene" },
      { place: "KeyS", also: [], does: "success" },
      { place: "Escape", also: [], does: "failure" },
      { place: "Enter", also: ["KeyN", "NumpadEnter"], does: "start" },
      { place: "KeyR", also: [], does: "rerecord" },
      // Ctrl+Escape stops as well: see keyboard.js.
      { place: "Pause", also: [], does: "stop" },
    ],
    jog: [
      ...JOG_ARROWS,
      { place: "KeyU", code: "KeyR", does: "up" },
      { place: "KeyJ", code: "KeyF", does: "down" },
      ...JOG_TURN,
      { place: "KeyV", code: "Space", does: "gripper" },
      ...JOG_SPEED,
    ],
  },
};

const NAMES = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
  Minus: "−",
  Equal: "+",
  Space: "Space",
  Enter: "Enter",
  Pause: "Pause",
};

// What is printed on the key at `place`; `layout` as in layout.js. Digits are printed on all of them.
export function keyName(place, layout = new Map()) {
  const printed = /^(Key|Minus|Equal)/.test(place) ? layout.get(place) : undefined;
  return printed?.toUpperCase() ?? NAMES[place] ?? place.replace(/^(Key|Digit|Numpad)/, "");
}

// The profile as lookups: command by place, wire code by place, key by command and by wire code.
export function indexed(name, layout = new Map()) {
  const profile = PROFILES[name] ?? PROFILES.seed;
  const commandAt = new Map();
  const jogAt = new Map();
  const keyOf = new Map();
  const jogKeyOf = new Map();
  for (const { place, also, does } of profile.commands) {
    for (const at of [place, ...also]) commandAt.set(at, does);
    keyOf.set(does, keyName(place, layout));
  }
  for (const { place, code } of profile.jog) {
    jogAt.set(place, code);
    jogKeyOf.set(code, keyName(place, layout));
  }
  if (name === "lerobot") keyOf.set("stop", "Ctrl Esc");
  return { name, title: profile.title, profile, layout, commandAt, jogAt, keyOf, jogKeyOf };
}

const CHOICE = "handrail.profile";

// The profile this browser chose, null to follow the server's.
export function chosenProfile() {
  const name = localStorage.getItem(CHOICE);
  return name in PROFILES ? name : null;
}

export function chooseProfile(name) {
  localStorage.setItem(CHOICE, name);
}
