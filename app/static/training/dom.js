// Builds elements in one expression; words are always text, never markup.

// `props`: class, data: {name: value}, on: {event: handler}, everything else an attribute or, for
// those that are state of an element (value, checked, disabled, …), a property.
const STATE = new Set(["value", "checked", "disabled", "hidden", "selected", "open", "muted", "src"]);

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (STATE.has(name)) element[name] = value;
    else element.setAttribute(name, value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(element, child);
    else if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

export function button(label, does, { kind = "small", title, disabled } = {}) {
  return h("button", { type: "button", class: kind, title, disabled, on: { click: does } }, label);
}

// A labelled control with its explanation below.
export function field(label, control, note = "") {
  return h("label", { class: "dk-field" }, h("span", {}, label), control, note && h("small", {}, note));
}

export function select(options, chosen, changed) {
  return h("select", { on: { change: (event) => changed(event.target.value) } },
    options.map(([value, label]) => h("option", { value, selected: value === chosen }, label)));
}

// Copies and says so on the button itself; the clipboard is missing on plain http.
export function copyButton(text, label = "Copy") {
  const made = button(label, async () => {
    try {
      await navigator.clipboard.writeText(text());
      made.textContent = "Copied";
    } catch {
      const area = h("textarea", { value: text(), class: "dk-offscreen" });
      document.body.append(area);
      area.select();
      made.textContent = document.execCommand("copy") ? "Copied" : "Select and press Ctrl C";
      area.remove();
    }
    setTimeout(() => { made.textContent = label; }, 1500);
  });
  return made;
}

// Answers true or false; the browser's own dialog element keeps the focus inside.
export function confirmed({ title, lines, yes, danger = false }) {
  return new Promise((resolve) => {
    const answer = (value) => { dialog.close(); dialog.remove(); resolve(value); };
    const dialog = h("dialog", { class: "dk-dialog", on: { cancel: () => answer(false) } },
      h("h2", {}, title), lines.map((line) => h("p", {}, line)),
      h("div", { class: "dk-actions" },
        button("Keep things as they are", () => answer(false)),
        button(yes, () => answer(true), { kind: danger ? "small danger" : "primary" })));
    document.querySelector(".hr-desk").append(dialog);
    dialog.showModal();
  });
}
