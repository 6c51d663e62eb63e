// The jog keys without the rest of Handrail, for LeRobot's own programs: see backend/robots/jog_page.py.
//
// What is held travels as a level, thirty times a second. Silence lets go of everything over there.

import { axesOf } from "../live/gamepad.js";
import { JogPanel } from "../live/jog_panel.js";
import { Keyboard } from "../live/keyboard.js";
import { partsOf, setData, setText } from "../live/paint.js";
import { indexed } from "../live/profiles.js";

const KEEP_EVERY_MS = 33;
const AGAIN_AFTER_MS = 1000;
const REPLACED = 4001;

const keys = indexed("seed");
const parts = partsOf(document);
const held = { keyboard: [], touch: [] };
let status = { speed: 1, gripper_closed: false };
let socket = null;
let focused = document.hasFocus();

const { signal } = new AbortController();
const panel = new JogPanel({
  root: parts.jog,
  signal,
  touch: (codes) => hold("touch", codes),
});
new Keyboard({
  keys,
  signal,
  on: {
    held: (codes) => hold("keyboard", codes),
    command: () => {},
    enlarge: () => {},
    undo: () => {},
    help: () => {},
    escape: () => false,
    focus: (now) => {
      focused = now;
      if (!now) {
        panel.releaseAll();
        hold("keyboard", []);
      }
      show();
    },
  },
});

function hold(source, codes) {
  held[source] = [...codes];
  panel.light(all());
  send();
}

function all() {
  return [...new Set([...held.keyboard, ...held.touch])];
}

function axes() {
  const pad = navigator.getGamepads?.().find((found) => found?.mapping === "standard");
  return pad && focused ? axesOf(pad) : [];
}

function send() {
  if (socket?.readyState !== WebSocket.OPEN || document.hidden) return;
  socket.send(JSON.stringify({ held: all(), axes: axes() }));
}

function show() {
  const open = socket?.readyState === WebSocket.OPEN;
  const words = focused ? "You drive." : "Keys inactive: click here.";
  setText(parts.state, open ? words : "No contact with the program that drives the robot.");
  setData(parts.state, "driving", open && focused ? "yes" : "no");
  panel.render({
    keys,
    phase: open ? "human" : "closed",
    lease: { mine: true },
    tick: { jog_speed: status.speed, gripper_closed: status.gripper_closed },
    pad: "",
  });
}

function connect() {
  socket = new WebSocket(`ws://${location.host}/keys${location.search}`);
  socket.onopen = show;
  socket.onmessage = ({ data }) => {
    const next = JSON.parse(data);
    if (next.speed === status.speed && next.gripper_closed === status.gripper_closed) return;
    status = next;
    show();
  };
  socket.onclose = ({ code }) => {
    show();
    if (code === REPLACED) setText(parts.state, "Another page drives now. Reload to take over.");
    else setTimeout(connect, AGAIN_AFTER_MS);
  };
}

connect();
show();
setInterval(send, KEEP_EVERY_MS);
