// What is given of one face so far, and whether that is a label.

const AXES = ["valence", "arousal"];

export class Answer {
  /** `asked`: which of emotion, valence, arousal are wanted; `given`: an earlier label to go on with. */
  constructor(image, asked, given = {}) {
    this.image = image;
    this.asked = asked;
    this.values = { emotion: null, valence: null, arousal: null };
    for (const name of asked) this.values[name] = given[name] ?? null;
  }

  set(name, value) {
    if (this.asked.includes(name)) this.values[name] = value;
  }

  /** Whether anything is given, so that it can be kept. */
  get begun() {
    return Object.values(this.values).some((value) => value !== null);
  }

  /** Whether everything that is asked is given. */
  get whole() {
    return this.asked.every((name) => this.values[name] !== null);
  }

  get asksPlane() {
    return AXES.every((axis) => this.asked.includes(axis));
  }

  get asksEmotion() {
    return this.asked.includes("emotion");
  }

  label() {
    return { image: this.image, ...this.values, skipped: null };
  }
}

/** Return valence and arousal of a place on the plane, x to the right and y down from its middle, 1 at its edge. */
export function axesAt(x, y) {
  const limited = (value) => Math.round(100 * Math.min(1, Math.max(-1, value))) / 100 + 0; // + 0: no -0
  return { valence: limited(x), arousal: limited(-y) };
}

/** Return what a key means: ["emotion", place], "save", "undo", "middle", ["skip", place], or undefined. */
export function keyMeaning(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  if (/^[1-8]$/.test(event.key)) return ["emotion", Number(event.key) - 1];
  const key = event.key.toLowerCase();
  if (key === "n") return ["skip", 0];
  if (key === "s") return ["skip", 1];
  return { 0: "middle", enter: "save", u: "undo", backspace: "undo" }[key];
}
