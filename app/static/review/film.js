// One camera of one episode as a video element, fetched whole.
//
// A video element that streams holds one of the browser's six connections for as long as it has not
// read its file; with the next episodes fetched ahead, labels would wait behind pictures. So the file
// is fetched, which frees its connection, and played from memory, where seeking asks nobody. Very
// large files stream all the same.

const STREAMED_FROM_BYTES = 32e6;

export class Film {
  #url = "";
  #abort = new AbortController();

  constructor(episodeId, camera) {
    this.camera = camera;
    this.element = document.createElement("video");
    Object.assign(this.element, { muted: true, playsInline: true, preload: "auto" });
    this.#fetch(`/api/episodes/${episodeId}/video/${camera}.mp4`);
  }

  close() {
    this.#abort.abort();
    this.element.removeAttribute("src");
    this.element.load();
    URL.revokeObjectURL(this.#url);
  }

  async #fetch(address) {
    const { signal } = this.#abort;
    try {
      const reply = await fetch(address, { signal });
      if (reply.ok && Number(reply.headers.get("content-length")) < STREAMED_FROM_BYTES) {
        this.#url = URL.createObjectURL(await reply.blob());
        if (!signal.aborted) this.element.src = this.#url;
        return;
      }
      await reply.body?.cancel();
    } catch {
      // Lost or given up; the element itself tells of what is lost.
    }
    if (!signal.aborted) this.element.src = address;
  }
}
