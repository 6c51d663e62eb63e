// Calls the REST interface; a refusal becomes an error with the server's words and its hint.

export class Refusal extends Error {
  constructor(status, { code = "", message = "", hint = "", details = null }) {
    super(message || `the server answered ${status}`);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.details = details;
  }
}

async function answerOf(reply) {
  if (reply.ok) return reply.json();
  let body = {};
  try {
    body = (await reply.json()).error ?? {};
  } catch {
    // No JSON: a proxy spoke, the status has to do.
  }
  throw new Refusal(reply.status, body);
}

async function call(path, options) {
  let reply;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new Refusal(0, { code: "lost", message: "The server does not answer.", hint: "Is it still running?" });
  }
  return answerOf(reply);
}

// Values that are undefined, null or "" are left out.
export function query(params) {
  const pairs = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

export function get(path, params = {}) {
  return call(path + query(params));
}

export function post(path, body = {}) {
  return call(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
}

// `then`: jobs of {kind, params} that follow, each after the one before.
export function startJob(kind, params, then = []) {
  return post("/api/jobs", { kind, params, then });
}

// Every page of a list.
export async function getAll(path, params = {}) {
  const items = [];
  let cursor;
  do {
    const page = await get(path, { ...params, limit: 1000, cursor });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}
