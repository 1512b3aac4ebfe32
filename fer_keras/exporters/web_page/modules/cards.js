// A card for each face: probability bars and the two axes, in elements that screen readers read.

import { faceColour, faceLine } from "./boxes.js";

const MOST = 6; // cards; more faces stay in the picture and in the results

export class Cards {
  #cards = new Map();

  constructor(place, facts) {
    Object.assign(this, { place, facts });
  }

  /** Show these faces, each in the card of its id. */
  show(faces) {
    const shown = faces.slice(0, MOST);
    const ids = new Set(shown.map((face) => face.id));
    for (const [id, card] of this.#cards) {
      if (!ids.has(id)) {
        card.root.remove();
        this.#cards.delete(id);
      }
    }
    for (const face of shown) fill(this.#card(face.id), face);
  }

  #card(id) {
    if (!this.#cards.has(id)) {
      const card = emptyCard(this.facts, faceColour(id, this.facts.face_colours));
      this.#cards.set(id, card);
      this.place.append(card.root);
    }
    return this.#cards.get(id);
  }
}

function element(name, kind, parent) {
  const made = document.createElement(name);
  made.className = kind;
  parent?.append(made);
  return made;
}

function emptyCard(facts, colour) {
  const root = element("section", "card");
  root.style.setProperty("--face", colour);
  root.style.setProperty("--name", `${Math.max(...facts.labels.map((label) => label.length), 0)}ch`);
  const title = element("h2", "", root);
  const bars = facts.labels.map((label) => emptyBar(root, label, facts.colours[label]));
  return { root, title, bars, axes: element("p", "axes", root) };
}

function emptyBar(root, label, colour) {
  const bar = element("div", "bar", root);
  bar.setAttribute("role", "meter");
  bar.setAttribute("aria-label", label);
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  bar.style.setProperty("--class", colour);
  element("span", "name", bar).textContent = label;
  const filled = element("div", "fill", element("div", "track", bar));
  return { bar, filled, share: element("span", "share", bar) };
}

function fill(card, face) {
  setText(card.title, `Face ${faceLine(face)}`);
  face.probabilities?.forEach((share, code) => {
    const { bar, filled, share: words } = card.bars[code];
    filled.style.transform = `scaleX(${share.toFixed(4)})`;
    setText(words, `${Math.round(100 * share)} %`);
    bar.setAttribute("aria-valuenow", `${Math.round(100 * share)}`);
  });
  const axes = ["valence", "arousal"].filter((axis) => face[axis] !== undefined);
  setText(card.axes, axes.map((axis) => `${axis} ${face[axis].toFixed(2)}`).join(", "));
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
