// Writes into the page only what changed, so that repeating a value costs nothing and moves nothing.

// The elements of `root` that carry a data-part, by its name.
export function partsOf(root) {
  const parts = {};
  for (const element of root.querySelectorAll("[data-part]")) {
    parts[element.dataset.part] = element;
  }
  return parts;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Only for markup made by these modules, never for words that came over the wire.
export function setMarkup(element, markup) {
  if (element.shownMarkup !== markup) {
    element.shownMarkup = markup;
    element.innerHTML = markup;
  }
}

export function setShown(element, shown) {
  if (element.hidden === shown) element.hidden = !shown;
}

export function setData(element, name, value) {
  const text = String(value);
  if (element.dataset[name] !== text) element.dataset[name] = text;
}

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
