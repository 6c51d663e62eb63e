// Texts this browser used lately, by what they were for: the next one is often the same.

const KEPT_AS = "handrail-recent:";
const MOST = 8;

export function recentTexts(what, storage = localStorage) {
  try {
    return JSON.parse(storage.getItem(KEPT_AS + what) ?? "[]");
  } catch {
    return [];
  }
}

export function rememberText(what, text, storage = localStorage) {
  if (!text) return;
  const texts = [text, ...recentTexts(what, storage).filter((known) => known !== text)].slice(0, MOST);
  storage.setItem(KEPT_AS + what, JSON.stringify(texts));
}
