// Asks the server: its JSON, or an error with the server's own words and remedy.

export async function get(path) {
  return answerOf(await fetch(path));
}

export async function post(path, body) {
  return answerOf(await fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}),
  }));
}

async function answerOf(reply) {
  const body = await reply.json();
  if (reply.ok) return body;
  throw Object.assign(new Error(body.error.message), { hint: body.error.hint });
}
