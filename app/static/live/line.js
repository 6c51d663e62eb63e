// One WebSocket that comes back by itself, at once at first and then every two seconds.

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2000;

export class Line {
  #path;
  #on;
  #socket = null;
  #wait_ms = FIRST_WAIT_MS;
  #timer = null;
  #closed = false;
  attempts = 0;

  // `on` has opened(), closed() and received(data); data is text or an ArrayBuffer.
  constructor(path, on) {
    this.#path = path;
    this.#on = on;
    this.#connect();
  }

  get open() {
    return this.#socket !== null && this.#socket.readyState === WebSocket.OPEN;
  }

  // True when it went out; a message is never kept for later, later it would be wrong.
  send(data) {
    if (!this.open) return false;
    this.#socket.send(data);
    return true;
  }

  // Give up on a connection that went silent, and make a new one.
  restart() {
    const socket = this.#socket;
    if (socket === null) return;
    socket.onclose = null;
    socket.onmessage = null;
    socket.close();
    this.#lost();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #connect() {
    this.attempts += 1;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.#path}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#wait_ms = FIRST_WAIT_MS;
      this.attempts = 0;
      this.#on.opened();
    };
    socket.onmessage = (event) => this.#on.received(event.data);
    socket.onclose = () => this.#lost();
    this.#socket = socket;
  }

  #lost() {
    this.#socket = null;
    if (this.#closed) return;
    this.#on.closed();
    this.#timer = setTimeout(() => this.#connect(), this.#wait_ms);
    this.#wait_ms = Math.min(this.#wait_ms * 2, LONGEST_WAIT_MS);
  }
}
