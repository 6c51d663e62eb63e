// What this browser's user may do: the live socket's greeting says the role.

export function roleOfUser() {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws/live`);
    const answer = (role) => {
      socket.close();
      resolve(role);
    };
    socket.addEventListener("message", (event) => {
      if (typeof event.data !== "string") return;
      const hello = [JSON.parse(event.data)].flat().find((message) => message.type === "hello");
      if (hello) answer(hello.role);
    });
    // Without an answer the server decides with every label.
    socket.addEventListener("error", () => answer("labeler"));
  });
}
