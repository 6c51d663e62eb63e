// What the server answers: its JSON, or an error with the server's own words and remedy.

export async function answerOf(reply) {
  const body = await reply.json();
  if (reply.ok) return body;
  throw Object.assign(new Error(body.error.message), { hint: body.error.hint });
}
