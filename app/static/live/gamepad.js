// A gamepad of the standard layout, read once a frame: sticks move the tool, buttons are commands.

const DEAD_ZONE = 0.12;

// Index in the standard layout, and what it does.
export const PAD_BUTTONS = [
  { button: 0, name: "A", does: "intervene" },
  { button: 3, name: "Y", does: "success" },
  { button: 2, name: "X", does: "failure" },
  { button: 9, name: "Menu", does: "start" },
  { button: 1, name: "B", does: "stop" },
];
export const PAD_AXES = [
  { name: "left stick", does: "away, towards, left, right" },
  { name: "right stick", does: "up, down and roll" },
  { name: "D-pad up, down", does: "pitch" },
  { name: "RT, LT", does: "close, open the gripper" },
];

function live(value) {
  return Math.abs(value) < DEAD_ZONE ? 0 : value;
}

// Axes in the teleoperator's order: x, y, z, roll, pitch, gripper, each in -1 to 1.
export function axesOf(pad) {
  const pressed = (index) => pad.buttons[index]?.value ?? 0;
  const axis = (index) => live(pad.axes[index] ?? 0);
  return [
    -axis(1),
    -axis(0),
    -axis(3),
    -axis(2),
    pressed(12) - pressed(13),
    live(pressed(6) - pressed(7)),
  ];
}

export class GamepadReader {
  #on;
  #index = null;
  #used = false;
  #last = "";
  #down = new Set();
  name = "";

  // `on` has axes(values), command(name) and unplugged(): called only when it had been used.
  constructor({ on, signal }) {
    this.#on = on;
    window.addEventListener("gamepaddisconnected", (event) => this.#gone(event.gamepad.index), {
      signal,
    });
  }

  // Once a frame. Browsers show a gamepad only after its first button press.
  poll() {
    const pads = navigator.getGamepads?.() ?? [];
    const pad = (this.#index !== null && pads[this.#index]) || pads.find((each) => each?.connected);
    if (!pad) {
      if (this.#index !== null) this.#gone(this.#index);
      return;
    }
    this.#index = pad.index;
    this.name = pad.id;
    this.#readAxes(pad);
    this.#readButtons(pad);
  }

  #readAxes(pad) {
    const axes = axesOf(pad);
    const moving = axes.some((value) => value !== 0);
    const shown = axes.map((value) => value.toFixed(2)).join();
    if (shown === this.#last || (!moving && !this.#used)) return;
    this.#used = true;
    this.#last = shown;
    this.#on.axes(axes);
  }

  #readButtons(pad) {
    for (const { button, does } of PAD_BUTTONS) {
      const pressed = pad.buttons[button]?.pressed ?? false;
      if (pressed && !this.#down.has(button)) {
        this.#down.add(button);
        this.#on.command(does);
      } else if (!pressed) {
        this.#down.delete(button);
      }
    }
  }

  #gone(index) {
    if (index !== this.#index) return;
    const wasUsed = this.#used;
    this.#index = null;
    this.#used = false;
    this.#last = "";
    this.#down.clear();
    this.name = "";
    if (wasUsed) this.#on.unplugged();
  }
}
