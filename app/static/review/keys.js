// Which key means what on this page. Nothing is done here, so that it can be told and tested.
//
// Keys mean nothing while somebody types, in a dialog, or together with Ctrl, Alt or Meta (AltGr
// excepted: it makes the brackets of some keyboards).

// Shift and a digit: the kind of the marked range.
export const RANGE_KINDS = { 1: "mistake", 2: "recovery", 3: "correction" };
const FIRST_SUBTASK = 4;

const BY_KEY = {
  Enter: "save", Backspace: "skip", "[": "range-start", "]": "range-end", ",": "frame-back", ".": "frame-on", "?": "help", "/": "search",
  Escape: "escape",
};
const BY_CODE = {
  Space: "play", ArrowLeft: "frame-back", ArrowRight: "frame-on", ArrowUp: "previous", ArrowDown: "next",
  Home: "first-frame", End: "last-frame", Minus: "slower", Equal: "faster",
};
const BY_LETTER = {
  u: "undo", t: "terminal", x: "exclude", m: "note", n: "next-dip", p: "previous-dip", b: "bulk", r: "refresh", f: "search",
  c: "copy-link",
};
const REPEATING = new Set(["frame-back", "frame-on", "previous", "next", "next-dip", "previous-dip"]);

export const HELP = [
  ["Judge", [
    [["1"], "success"], [["0"], "failure"], [["Enter"], "save and go on to the next"], [["⌫"], "skip: go on, nothing is saved"],
    [["U"], "undo what you said last"], [["⇧", "U"], "redo it"],
    [["X"], "leave out of training, with a reason"], [["M"], "a note"],
    [["T"], "the success was here: the episode ends at this frame"],
  ]],
  ["Mark a range", [
    [["["], "starts here"], [["]"], "ends here, this frame included"],
    [["⇧", "1"], "it is a mistake"], [["⇧", "2"], "a recovery"], [["⇧", "3"], "a correction"],
    [["⇧", "4–9"], "a subtask, with its words"], [["Esc"], "forget the marks"],
  ]],
  ["Look", [
    [["Space"], "play, also what is opened next; pause"], [["←", "→"], "a frame back, on; with ⇧ a second"], [[",", "."], "the same"],
    [["N", "P"], "next, previous dip of the value"], [["−", "="], "slower, faster"], [["Home", "End"], "first, last frame"],
  ]],
  ["Queue", [
    [["↓", "↑"], "next, previous episode"], [["F"], "search"], [["R"], "sort and count anew"],
    [["B"], "change all of the filter"], [["C"], "copy a link to this frame"], [["?"], "these keys"],
  ]],
];

// The act that a keydown asks for: {name, …}, null for none.
export function actOf(event) {
  const altGr = event.getModifierState?.("AltGraph") ?? false;
  if ((event.ctrlKey || event.metaKey || event.altKey) && !altGr) return null;
  const act = named(event);
  if (act === null || (event.repeat && !REPEATING.has(act.name))) return null;
  return act;
}

function named(event) {
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1];
  if (digit !== undefined && !(event.code.startsWith("Numpad") && !/^[0-9]$/.test(event.key))) {
    const number = Number(digit);
    if (event.shiftKey) {
      if (number === 0) return null;
      return { name: "range-kind", kind: RANGE_KINDS[number] ?? "subtask", number: number < FIRST_SUBTASK ? null : number };
    }
    if (number === 1) return { name: "outcome", outcome: "success" };
    if (number === 0) return { name: "outcome", outcome: "failure" };
    return null;
  }
  const letter = event.key.toLowerCase();
  if (letter === "u" && event.shiftKey) return { name: "redo" };
  const name = BY_KEY[event.key] ?? (event.shiftKey ? undefined : BY_LETTER[letter]) ?? BY_CODE[event.code];
  if (name === undefined) return null;
  return event.shiftKey && name.startsWith("frame-") ? { name, second: true } : { name };
}

// Whether a key belongs to what has the focus, not to the page.
export function isTyping(target) {
  if (target.isContentEditable || target.closest?.("dialog")) return true;
  if (/^(SELECT|TEXTAREA)$/.test(target.tagName)) return true;
  return target.tagName === "INPUT" && !["checkbox", "radio", "range", "button"].includes(target.type);
}
