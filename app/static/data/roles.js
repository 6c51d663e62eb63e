// What this user may do: buttons beyond their role are grey and say why, before anyone presses them.

const ORDER = ["viewer", "labeler", "operator", "admin"];

export function includes(role, needed) {
  return ORDER.indexOf(role) >= ORDER.indexOf(needed);
}

// Why `role` may not, in words; empty when it may.
export function whyNot(role, needed) {
  if (includes(role, needed)) return "";
  return `This takes the role ${needed}; you are ${role}. Enter with such a token at /enter.`;
}

// Greys a button that `role` may not press, or that has another reason `unless` to wait.
export function gate(button, role, needed, unless = "") {
  const why = whyNot(role, needed) || unless;
  button.disabled = why !== "";
  button.title = why;
  return why;
}
