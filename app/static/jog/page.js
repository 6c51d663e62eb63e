// The jog keys without the rest of Handrail, for LeRobot's own programs: see backend/robots/jog_page.py.
//
// What is held travels as a level, thirty times a second. Silence lets go of everything over there.
// A stop is latched over there too, so it survives this page; here it only asks for it, until told.

import { axesOf } from "../live/gamepad.js";
import { JogPanel } from "../live/jog_panel.js";
import { Keyboard } from "../live/keyboard.js";
import { partsOf, setData, setShown, setText } from "../live/paint.js";
import { indexed } from "../live/profiles.js";

const KEEP_EVERY_MS = 33;
const AGAIN_AFTER_MS = 1000;
const REPLACED = 4001;

const keys = indexed("seed");
const parts = partsOf(document);
const held = { keyboard: [], touch: [] };
let status = { speed: 1, gripper_closed: false, stopped: false };
let socket = null;
// A stop that was pressed and is not confirmed yet.
let stopping = false;
let replaced = false;
let focused = document.hasFocus();

const { signal } = new AbortController();
const panel = new JogPanel({
  root: parts.jog,
  signal,
  touch: (codes) => hold("touch", codes),
});
const keyboard = new Keyboard({
  keys,
  signal,
  on: {
    held: (codes) => hold("keyboard", codes),
    command: (name) => {
      if (name === "stop") stop();
    },
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
  // What is pressed while stopped must not move the arm when the stop is cleared.
  held[source] = status.stopped || stopping ? [] : [...codes];
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
  if (socket?.readyState !== WebSocket.OPEN) return;
  if (stopping) socket.send(JSON.stringify({ command: "stop" }));
  else if (!document.hidden) socket.send(JSON.stringify({ held: all(), axes: axes() }));
}

function stop() {
  stopping = true;
  panel.releaseAll();
  keyboard.releaseAll();
  // A page that no longer drives takes over again to be heard.
  if (replaced) connect();
  show();
}

function clear() {
  parts.clear.blur();
  stopping = false;
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ command: "clear" }));
}

function show() {
  const open = socket?.readyState === WebSocket.OPEN;
  const stopped = status.stopped || stopping;
  setText(parts.state, wordsFor(open, stopped));
  setData(parts.state, "driving", open && focused && !stopped ? "yes" : "no");
  setData(parts.root, "stopped", stopped ? "yes" : "no");
  setShown(parts.clear, status.stopped);
  panel.render({
    keys,
    phase: open && !stopped ? "human" : "closed",
    lease: { mine: true },
    tick: { jog_speed: status.speed, gripper_closed: status.gripper_closed },
    pad: "",
  });
}

function wordsFor(open, stopped) {
  if (replaced) return "Another page drives now. Reload to take over; STOP works from here too.";
  if (!open) {
    return stopping
      ? "NOT STOPPED: no contact with the program that drives the robot. Cut the power if it moves."
      : "No contact with the program that drives the robot.";
  }
  if (status.stopped) return "STOPPED. The arm stays where it is until you clear the stop.";
  if (stopped) return "Stopping …";
  return focused ? "You drive." : "Keys inactive: click here.";
}

function connect() {
  replaced = false;
  socket = new WebSocket(`ws://${location.host}/keys${location.search}`);
  socket.onopen = () => {
    send();
    show();
  };
  socket.onmessage = ({ data }) => {
    const next = JSON.parse(data);
    if (next.stopped) stopping = false;
    const same = ["speed", "gripper_closed", "stopped"].every((name) => next[name] === status[name]);
    status = next;
    if (!same) show();
  };
  socket.onclose = ({ code }) => {
    replaced = code === REPLACED;
    show();
    if (!replaced) setTimeout(connect, AGAIN_AFTER_MS);
  };
}

parts.stop.addEventListener("click", () => {
  parts.stop.blur();
  stop();
});
parts.clear.addEventListener("click", clear);
connect();
show();
setInterval(send, KEEP_EVERY_MS);
