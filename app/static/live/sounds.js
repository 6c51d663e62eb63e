// Short tones when the phase changes, for those who watch the robot and not the page. Off by default.
//
// Made by an oscillator: no files. Each phase has a shape of its own: a human's rises, a policy's
// falls, a hold repeats, a stop is low and long.

const CHOICE = "handrail.sound";
const NOTE_S = 0.12;
const LOUDNESS = 0.15;
const TUNES_HZ = {
  idle: [523],
  policy: [659, 440],
  human: [440, 659],
  held: [587, 587, 587],
  ended: [523, 392],
  stopped: [196, 196, 147],
  unknown: [294, 220],
};

// The notes of entering `phase`, in Hz; none for the first phase and for those without a tune.
export function tuneOf(phase, before) {
  return before === null || before === phase ? [] : (TUNES_HZ[phase] ?? []);
}

export class Sounds {
  #button;
  #context = null;
  #phase = null;

  constructor({ button, signal }) {
    this.#button = button;
    button.addEventListener("click", () => {
      button.blur();
      this.#choose(!this.on);
    }, { signal });
    this.#show();
    // A browser lets a page be heard only after somebody touched it.
    window.addEventListener("pointerdown", () => this.#wake(), { signal });
    window.addEventListener("keydown", () => this.#wake(), { signal });
  }

  get on() {
    return localStorage.getItem(CHOICE) === "on";
  }

  // Call it with every phase there is; a new one is heard.
  entered(phase) {
    const tune = tuneOf(phase, this.#phase);
    this.#phase = phase;
    if (this.on) this.#play(tune);
  }

  #choose(on) {
    localStorage.setItem(CHOICE, on ? "on" : "off");
    this.#show();
    this.#wake();
    if (on) this.#play(TUNES_HZ.human);
  }

  #show() {
    this.#button.textContent = this.on ? "Sound on" : "Sound off";
    this.#button.setAttribute("aria-pressed", this.on ? "true" : "false");
    this.#button.title = "Tones when somebody else drives, when the robot is held, and when it stops";
  }

  #wake() {
    if (!this.on) return;
    this.#context ??= new AudioContext();
    if (this.#context.state === "suspended") this.#context.resume();
  }

  #play(tune) {
    if (this.#context === null) return;
    tune.forEach((hz, index) => this.#note(hz, this.#context.currentTime + index * NOTE_S * 1.3));
  }

  #note(hz, at_s) {
    const tone = this.#context.createOscillator();
    const volume = this.#context.createGain();
    tone.frequency.value = hz;
    // A tone that begins or ends at once would click.
    volume.gain.setValueAtTime(0, at_s);
    volume.gain.linearRampToValueAtTime(LOUDNESS, at_s + 0.02);
    volume.gain.linearRampToValueAtTime(0, at_s + NOTE_S);
    tone.connect(volume).connect(this.#context.destination);
    tone.start(at_s);
    tone.stop(at_s + NOTE_S);
  }

  // Safe to repeat.
  close() {
    this.#context?.close();
    this.#context = null;
  }
}
