// The header's facts on pages other than Live: asked for every two seconds, for as long as it is shown.

import { partsOf, setData, setShown, setText } from "./live/paint.js";
import { bytes, hertz } from "./live/units.js";
import { PHASES } from "./live/wording.js";

const EVERY_MS = 2000;

function show(parts, session) {
  const connected = session.actor.state === "connected";
  const open = connected && session.phase !== "closed";
  const { word } = PHASES[connected ? session.phase : "unknown"];
  setText(parts["fact-robot"], session.robot || "–");
  setData(parts["fact-dot"], "ok", open ? "yes" : "no");
  setText(parts["fact-rate"], open ? hertz(session.rates.loop_hz) : "– Hz");
  setText(parts["fact-disk"], bytes(session.disk_free_bytes));
  setText(parts["fact-phase"], word);
  setData(parts["fact-phase"], "phase", connected ? session.phase : "unknown");
  setShown(parts["fact-phase"], true);
}

export function mount(element) {
  const parts = partsOf(element);
  const ask = async () => {
    if (!element.isConnected) {
      clearInterval(timer);
      return;
    }
    if (document.hidden) return;
    try {
      const reply = await fetch("/api/session");
      if (reply.ok) show(parts, await reply.json());
    } catch {
      setText(parts["fact-phase"], "SERVER GONE");
      setData(parts["fact-phase"], "phase", "unknown");
      setShown(parts["fact-phase"], true);
    }
  };
  const timer = setInterval(ask, EVERY_MS);
  ask();
}
