// What is printed on the keys of this person's keyboard, where the browser tells.

// From `KeyboardEvent.code` to a character; empty where nobody tells, then the codes' own letters do.
export async function keyboardLayout() {
  try {
    return new Map(await navigator.keyboard.getLayoutMap());
  } catch {
    return new Map();
  }
}
