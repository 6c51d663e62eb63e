// The API as the Setup page asks it: an answer, or an error with what to do.

export async function answerOf(request) {
  const reply = await request;
  const body = await reply.json();
  if (reply.ok) return body;
  const { message, hint } = body.error ?? { message: `the server answers ${reply.status}`, hint: "" };
  throw new Error(hint ? `${message}. ${hint}` : message);
}

export const robotAddress = (name) => `/api/robots/${encodeURIComponent(name)}`;

export function send(method, address, body) {
  return answerOf(
    fetch(address, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    }),
  );
}

export const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
