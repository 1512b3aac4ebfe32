// One face after the other: what is pressed becomes a label, and the next face comes.

import { Answer, keyMeaning } from "./answer.js";
import { Board } from "./board.js";
import { startTheme } from "./theme.js";

export class App {
  constructor(store, byId) {
    this.store = store;
    this.byId = byId;
    this.facts = store.facts;
  }

  start() {
    const { byId, facts } = this;
    this.board = new Board(facts, byId, {
      emotion: (name) => this.give({ emotion: name }, true),
      axes: (values, done) => this.give(values, done),
      axis: (axis, value) => this.give({ [axis]: value }, false),
      skip: (name) => this.skip(name),
    });
    startTheme(byId("theme"), () => {});
    byId("save").addEventListener("click", () => this.save());
    for (const id of ["undo", "undo-end"]) byId(id).addEventListener("click", () => this.undo());
    document.addEventListener("keydown", (event) => this.press(event));
    const who = facts.annotator ? `${facts.annotator}: ` : "";
    byId("about").textContent = `${who}labels are written to ${facts.file} after each face.`;
    byId("help").textContent = this.helpText();
    this.open(this.store.next);
    byId("page").dataset.state = "ready";
  }

  helpText() {
    const { asked } = this.facts;
    const parts = [];
    if (asked.includes("emotion")) parts.push("1 to 8: emotion.");
    if (asked.includes("valence")) parts.push("Click on the plane, or 0 for its middle: valence and arousal.");
    if (asked.length > 1) parts.push("The next face comes when all is given; Enter goes on with a part.");
    return parts.join(" ");
  }

  /** Show a face, with what was said of it before, or that none is left. */
  open(image, given) {
    const { byId, facts } = this;
    byId("work").hidden = !image;
    byId("end").hidden = Boolean(image);
    this.answer = image ? new Answer(image, facts.asked, given) : undefined;
    if (image) this.showFace(image);
    else this.showEnd();
    this.showProgress(image);
  }

  showFace(image) {
    const { byId, facts } = this;
    const number = facts.images.indexOf(image) + 1;
    byId("face").src = image;
    byId("face").alt = `Face ${number} of ${facts.images.length}`;
    byId("speech").textContent = `Face ${number} of ${facts.images.length}`;
    const after = facts.images.slice(number).find((other) => !this.store.labels.has(other));
    if (after) new Image().src = after; // there when it is wanted
    this.showAnswer();
  }

  showEnd() {
    const labels = [...this.store.labels.values()];
    const skipped = labels.filter((label) => label.skipped).length;
    this.byId("end-text").textContent =
      `${labels.length - skipped} with a label and ${skipped} skipped, in ${this.facts.file}. This page can be closed.`;
    this.byId("speech").textContent = "All faces are labelled";
  }

  showProgress(image) {
    const { byId, facts, store } = this;
    const place = image ? `Face ${facts.images.indexOf(image) + 1} of ${facts.images.length}. ` : "";
    byId("status").textContent = `${place}${store.labels.size} of ${facts.images.length} done`;
    byId("progress").max = facts.images.length;
    byId("progress").value = store.labels.size;
    for (const id of ["undo", "undo-end"]) byId(id).disabled = store.labels.size === 0;
  }

  showAnswer() {
    this.board.show(this.answer.values);
    this.byId("save").setAttribute("aria-disabled", String(!this.answer.begun)); // not disabled: that would lose the focus
  }

  /** Take values; `done`: the next face may come if nothing is missing. */
  give(values, done) {
    if (!this.answer) return;
    for (const [name, value] of Object.entries(values)) this.answer.set(name, value);
    this.showAnswer();
    if (done && this.answer.whole) this.save();
  }

  save() {
    if (this.answer?.begun) this.keep(this.answer.label());
    else if (this.answer) this.byId("speech").textContent = "Nothing is given yet";
  }

  skip(name) {
    if (this.answer) this.keep({ image: this.answer.image, emotion: null, valence: null, arousal: null, skipped: name });
  }

  keep(label) {
    this.store.put(label);
    this.open(this.store.next);
  }

  /** Take the last label back and show its face with what was said, to be changed. */
  undo() {
    const last = this.store.undo();
    if (last) this.open(last.image, last);
  }

  press(event) {
    const meaning = keyMeaning(event);
    const button = event.target.closest?.("button");
    const pressed = button?.dataset.emotion && button.getAttribute("aria-pressed") === "true";
    if (!meaning || event.repeat || (meaning === "save" && button && !pressed)) return; // Enter presses another button
    const [kind, place] = Array.isArray(meaning) ? meaning : [meaning];
    if (kind === "emotion" && this.facts.asked.includes("emotion")) this.give({ emotion: this.facts.emotions[place] }, true);
    else if (kind === "middle") this.give({ valence: 0, arousal: 0 }, true);
    else if (kind === "skip") this.skip(this.facts.skips[place]);
    else if (kind === "save") this.save();
    else if (kind === "undo") this.undo();
    event.preventDefault();
  }
}
