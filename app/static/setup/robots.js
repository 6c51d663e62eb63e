// Robots on the Setup page: all of them, and one to look over, to see through, and to change.

import { make, partsOf, setShown, setText } from "../live/paint.js";
import { send } from "./api.js";
import { CameraPanel } from "./cameras.js";
import { CheckPanel } from "./check.js";
import { ConfigPanel } from "./config_form.js";

const COLUMNS = ["name", "robot", "cameras", "rate", "task", "policies"];

class RobotsPanel {
  #parts;
  #default;
  #items = [];
  #check;
  #cameras;
  #config;

  constructor(parts, defaultRobot) {
    this.#parts = parts;
    this.#default = defaultRobot;
    this.#check = new CheckPanel(parts);
    this.#cameras = new CameraPanel(parts, { changed: (views) => this.#config.views(views) });
    this.#config = new ConfigPanel(parts, {
      saved: (name) => this.#reload(name),
      problemElsewhere: () => this.#cameras.problem,
    });
    parts.robot.addEventListener("change", () => this.#leave(parts.robot.value));
  }

  async start() {
    await this.#list();
    const known = this.#items.some(({ name }) => name === this.#default);
    if (!known && this.#default) this.#parts.robot.prepend(optionOf({ name: this.#default }));
    this.#parts.robot.value = this.#default;
    await this.#choose(this.#default);
  }

  async #list() {
    const { items } = await send("GET", "/api/robots");
    this.#items = items;
    this.#parts.robot.replaceChildren(...items.map(optionOf));
    this.#parts.list.replaceChildren(items.length ? this.#table() : make("p", "", "There is no robot config yet."));
  }

  #table() {
    const table = make("table");
    const head = make("tr");
    head.append(...COLUMNS.map((column) => make("th", "", column)));
    const top = make("thead");
    top.append(head);
    const body = make("tbody");
    body.append(...this.#items.map((robot) => rowOf(robot, this.#default)));
    table.append(top, body);
    return table;
  }

  // Another robot; what was not saved is asked for.
  async #leave(name) {
    const before = this.#config.name;
    if (this.#config.isDirty && !confirm(`The changes to ${before} are not saved. Drop them?`)) {
      this.#parts.robot.value = before;
      return;
    }
    await this.#choose(name);
  }

  async #choose(name) {
    this.#cameras.choose(name);
    this.#check.choose(name);
    await this.#read(name);
  }

  async #read(name) {
    const config = await this.#config.choose(name);
    this.#cameras.fill(config.views);
    setText(this.#parts.owner, config.own ? "your own" : "comes with Handrail");
    setShown(this.#parts.owner, true);
  }

  // After a save, or to undo: the config as it is on the disk now.
  async #reload(name) {
    await this.#list();
    this.#parts.robot.value = name;
    this.#check.choose(name);
    await this.#read(name);
  }
}

function optionOf({ name, robot_type: type, own }) {
  const option = make("option", "", `${name}${type ? ` (${type})` : ""}${own ? ", your own" : ""}`);
  option.value = name;
  return option;
}

function rowOf(robot, defaultRobot) {
  const row = make("tr");
  const name = make("td");
  name.append(make("b", "", robot.name));
  if (robot.own) name.append(" ", make("span", "hr-tag", "your own"));
  if (robot.name === defaultRobot) name.append(" ", make("span", "hr-tag", "default"));
  if (robot.problem) {
    const problem = make("td", "hr-wrong", `✗ ${robot.problem}`);
    problem.colSpan = COLUMNS.length - 1;
    row.append(name, problem);
    return row;
  }
  row.append(
    name,
    make("td", "", robot.robot_type),
    make("td", "", robot.cameras.join(", ") || "none"),
    make("td", "", `${robot.fps} Hz`),
    make("td", "", robot.task),
    make("td", "", robot.policies.join(", ")),
  );
  return row;
}

export function mount(element, defaultRobot) {
  new RobotsPanel(partsOf(element), defaultRobot).start();
}
