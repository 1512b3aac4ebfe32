// Labels on their way to the server. Each waits in the browser's own storage until the server has it on the disk.

const RETRY = 3000; // milliseconds until the server is asked again

export class Store {
  #waiting = [];
  #sending = false;

  /** `facts`: what the server says of the faces; `told`: called with what keeps labels from the disk, or "". */
  constructor(facts, told, keep = globalThis.localStorage) {
    this.facts = facts;
    this.told = told;
    this.keep = keep;
    this.key = `fer-keras-labels/${facts.id}`;
    this.labels = new Map(facts.labels.map((label) => [label.image, label]));
    this.#waiting = readList(keep, this.key);
    for (const change of this.#waiting) this.#apply(change);
  }

  /** Ask the server for the faces; labels that an earlier visit could not send are sent. */
  static async load(told) {
    const answer = await fetch("job.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const store = new Store(await answer.json(), told);
    store.#send();
    return store;
  }

  /** The first face without a label, or undefined. */
  get next() {
    return this.facts.images.find((image) => !this.labels.has(image));
  }

  get waiting() {
    return this.#waiting.length;
  }

  /** Keep a label: { image, emotion, valence, arousal, skipped }, null where there is none. */
  put(label) {
    this.#change({ image: label.image, label });
  }

  /** Take the last label back and return it, or undefined. */
  undo() {
    const last = [...this.labels.values()].at(-1);
    if (last) this.#change({ image: last.image, label: null });
    return last;
  }

  #change(change) {
    this.#apply(change);
    this.#waiting.push(change);
    this.#write();
    this.#send();
  }

  #apply({ image, label }) {
    this.labels.delete(image); // so that a label given again stands last
    if (label) this.labels.set(image, label);
  }

  #write() {
    try {
      this.keep.setItem(this.key, JSON.stringify(this.#waiting));
    } catch {
      this.told("This browser keeps nothing: do not close the page while labels are not saved.");
    }
  }

  /** Send what waits, in order, one at a time. */
  async #send() {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#waiting.length) {
      const problem = await sendChange(this.#waiting[0]);
      if (problem?.again) {
        this.told(`Not saved yet: ${problem.text}. ${this.waiting} wait in this browser and are sent again.`);
        await new Promise((done) => setTimeout(done, RETRY));
        continue;
      }
      if (problem?.waits) {
        this.told(`Not saved: ${problem.text}`);
        break; // it stays here until the page is loaded again
      }
      this.#waiting.shift();
      this.#write();
      this.told(problem ? `Refused, and not saved: ${problem.text}` : "");
    }
    this.#sending = false;
  }
}

/** Send a change; return nothing where it is on the disk, otherwise why not, and whether to try again or to wait. */
async function sendChange({ image, label }) {
  const options = label
    ? { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(label) }
    : { method: "DELETE" };
  try {
    const answer = await fetch(`labels/${image}`, options);
    if (answer.ok) return undefined;
    const { error } = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
    return { text: error, again: answer.status >= 500, waits: answer.status === 409 };
  } catch {
    return { text: "the server does not answer; was it stopped?", again: true };
  }
}

function readList(keep, key) {
  try {
    return JSON.parse(keep.getItem(key) ?? "[]");
  } catch {
    return [];
  }
}
