// Who looks at this page and what they may do: the live socket's greeting says it.

// {name, role}; without an answer the server decides with every label.
export function userOf() {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws/live`);
    const answer = (user) => {
      socket.close();
      resolve(user);
    };
    socket.addEventListener("message", (event) => {
      if (typeof event.data !== "string") return;
      const hello = [JSON.parse(event.data)].flat().find((message) => message.type === "hello");
      if (hello) answer({ name: hello.you, role: hello.role });
    });
    socket.addEventListener("error", () => answer({ name: "", role: "labeler" }));
  });
}
