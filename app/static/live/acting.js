// How a policy that thinks in chunks keeps up, in a few words: its queue, how long it thinks, what
// was cut, and whether the robot had to wait for it.

import { milliseconds } from "./units.js";

// `warns`: something here explains why the robot stutters.
export function acting(tick) {
  if (!tick) return { text: "", warns: false };
  const cut = tick.clamps > 0 ? [`cut ${tick.clamps}`] : [];
  const now = tick.acting;
  if (!now) return { text: cut.join(" · "), warns: false };
  const words = [`queue ${now.queue}/${now.chunk_size}`];
  if (now.chunk_ms !== null) words.push(`chunk ${milliseconds(now.chunk_ms)}`);
  if (now.value_ms !== null) words.push(`critic ${milliseconds(now.value_ms)}`);
  words.push(...cut);
  if (now.starved > 0) words.push(`ran dry ${now.starved}×`);
  return { text: words.join(" · "), warns: now.starved > 0 };
}
