// The first evening: offers the example data once, then shows around; both in one small card.
//
// It is on every page, in a corner, and can be made small where it covers something. Closed, the tour
// stays closed in this browser; the question is answered for everybody, by the server. No keys of its
// own: they belong to the robot.

const PLACE = "handrail.tour";
const CLOSED = "closed";
const SMALL = "handrail.tour.small";

const STEPS = [
  {
    title: "A policy that already tries",
    text: "Press Open session: the simulated arm connects, and you hold the lease. The bundled checkpoint is "
      + "chosen to drive.",
    page: "/",
  },
  {
    title: "Let it try, and help",
    text: "Press 2: it reaches for the cube, and sometimes misses. Then press 5, touch the cube with the "
      + "arrows and F, and grade: 1 success, 0 failure. The curve below the pictures is its critic's "
      + "value, after little training still a rough guess.",
    page: "/",
  },
  {
    title: "See what is there",
    text: "Thirty attempts are recorded, with the critic's values. Go through them by keyboard; correct a grade "
      + "where you disagree.",
    page: "/review",
  },
  {
    title: "Teach it",
    text: "New run, preset recap_tiny: it learns from every graded attempt, yours too, in some minutes on a CPU. "
      + "Then promote the new checkpoint, and it drives from the next attempt on.",
    page: "/training",
  },
];

function element(tag, { text = "", ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function button(text, press, kind = "") {
  const made = element("button", { type: "button", text, class: `tour-button ${kind}` });
  made.addEventListener("click", press);
  return made;
}

class Card {
  #root = element("aside", { class: "hr tour", "aria-label": "First steps" });

  show(...content) {
    this.#show(false, content);
  }

  showSmall(...content) {
    this.#show(true, content);
  }

  #show(isSmall, content) {
    this.#root.classList.toggle("small", isSmall);
    this.#root.replaceChildren(...content);
    if (!this.#root.isConnected) document.body.append(this.#root);
  }

  focus() {
    this.#root.querySelector("button").focus();
  }

  remove() {
    this.#root.remove();
  }
}

async function answer(load) {
  const reply = await fetch("/api/sandbox", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ load }),
  });
  const content = await reply.json();
  if (!reply.ok) throw new Error(content.error.message);
}

function offer(card, sandbox) {
  const note = element("p", {
    class: "tour-note", role: "status",
    text: `${Math.ceil(sandbox.size_bytes / 1e6)} MB, already on this computer. You are asked once.`,
  });
  const choose = async (load) => {
    for (const each of choices) each.disabled = true;
    note.textContent = load ? "Loading…" : "";
    try {
      await answer(load);
    } catch (error) {
      note.textContent = `That did not work: ${error.message}`;
      for (const each of choices) each.disabled = false;
      return;
    }
    if (!load) return card.remove();
    localStorage.setItem(PLACE, "0");
    // The page's lists were empty when it was opened.
    location.reload();
  };
  const choices = [
    button("Load the examples", () => choose(true), "primary"),
    button("Start empty", () => choose(false)),
  ];
  card.show(
    element("h2", { text: "Nothing is recorded yet" }),
    element("p", {
      text: "Begin with examples? A small trained policy for the simulated arm that succeeds sometimes, 27 of "
        + "its attempts, and what its critic thought of them.",
    }),
    element("div", { class: "tour-buttons" }, ...choices),
    note,
  );
}

function guide(card) {
  let number = Number(localStorage.getItem(PLACE)) || 0;
  const close = () => {
    localStorage.setItem(PLACE, CLOSED);
    card.remove();
  };
  const go = (to) => {
    localStorage.setItem(PLACE, String(to));
    if (STEPS[to].page === location.pathname) {
      number = to;
      draw();
    } else {
      location.assign(STEPS[to].page);
    }
  };
  const resize = (isSmall) => {
    localStorage.setItem(SMALL, isSmall ? "yes" : "no");
    draw();
    card.focus();
  };
  const draw = () => {
    if (localStorage.getItem(SMALL) === "yes") {
      card.showSmall(button(`First steps, ${number + 1} of ${STEPS.length}`, () => resize(false)));
      return;
    }
    const step = STEPS[Math.min(number, STEPS.length - 1)];
    const isLast = number >= STEPS.length - 1;
    const buttons = element("div", { class: "tour-buttons" });
    if (number > 0) buttons.append(button("Back", () => go(number - 1)));
    buttons.append(
      isLast ? button("Done", close, "primary") : button("Next", () => go(number + 1), "primary"),
    );
    buttons.append(button("Make small", () => resize(true), "quiet"));
    if (!isLast) buttons.append(button("Close for good", close, "quiet"));
    card.show(
      element("p", { class: "tour-count", text: `First steps, ${number + 1} of ${STEPS.length}` }),
      element("h2", { text: step.title }),
      element("p", { text: step.text }),
      buttons,
    );
  };
  draw();
}

async function begin() {
  let sandbox;
  try {
    const reply = await fetch("/api/sandbox");
    if (!reply.ok) return;
    sandbox = await reply.json();
  } catch {
    return; // The page itself says that the server is gone.
  }
  const card = new Card();
  if (sandbox.state === "offered" && sandbox.may_answer) offer(card, sandbox);
  else if (sandbox.state === "loaded" && localStorage.getItem(PLACE) !== CLOSED) guide(card);
}

begin();
