// The parts of the page that a face is labelled with: emotions, plane, sliders.

import { axesAt } from "./answer.js";

const AXES = ["valence", "arousal"];
const SKIP_KEYS = ["N", "S"];
const SVG = "http://www.w3.org/2000/svg";

export class Board {
  /** `facts`: of the server; `on`: { emotion(name), axes({valence, arousal}), axis(name, value), skip(name) }. */
  constructor(facts, byId, on) {
    this.byId = byId;
    this.emotions = facts.emotions.map((name, place) => {
      const button = keyed(name, `${place + 1}`, () => on.emotion(name));
      button.dataset.emotion = name;
      button.style.setProperty("--class", facts.colours[name]);
      return button;
    });
    byId("emotions").append(...this.emotions);
    byId("emotions").hidden = !facts.asked.includes("emotion");
    byId("skips").append(...facts.skips.map((name, place) => keyed(name, SKIP_KEYS[place], () => on.skip(name), true)));
    byId("plane-part").hidden = !facts.asked.includes("valence");
    this.#words(facts.quadrants);
    this.#follow(byId("plane"), on.axes);
    for (const axis of AXES) {
      byId(axis).addEventListener("input", (event) => on.axis(axis, Number(event.target.value)));
    }
  }

  /** Show what is given of a face. */
  show({ emotion, valence, arousal }) {
    for (const button of this.emotions) {
      button.setAttribute("aria-pressed", String(button.dataset.emotion === emotion));
    }
    for (const [axis, value] of [["valence", valence], ["arousal", arousal]]) {
      this.byId(axis).value = value ?? 0;
      this.byId(axis).setAttribute("aria-valuetext", value === null ? "not given" : value.toFixed(2));
      this.byId(`${axis}-value`).textContent = value === null ? "–" : value.toFixed(2);
    }
    const point = this.byId("point");
    point.toggleAttribute("hidden", valence === null && arousal === null);
    point.setAttribute("cx", valence ?? 0);
    point.setAttribute("cy", -(arousal ?? 0));
  }

  #words(quadrants) {
    for (const [pleasant, excited, word] of quadrants) {
      const text = document.createElementNS(SVG, "text");
      text.textContent = word;
      text.setAttribute("class", `word ${pleasant ? "end" : "start"}`);
      text.setAttribute("x", pleasant ? 0.97 : -0.97);
      text.setAttribute("y", excited ? -0.88 : 0.96);
      this.byId("words").append(text);
    }
  }

  /** Call with valence and arousal where the plane is pressed; while the pointer is held, the point follows it. */
  #follow(plane, give) {
    const at = (event, done) => {
      const { left, top, width } = plane.getBoundingClientRect();
      const scale = 2.4 / width;
      give(axesAt((event.clientX - left) * scale - 1.2, (event.clientY - top) * scale - 1.2), done);
    };
    plane.addEventListener("pointerdown", (event) => {
      plane.setPointerCapture(event.pointerId);
      at(event, false);
    });
    plane.addEventListener("pointermove", (event) => plane.hasPointerCapture(event.pointerId) && at(event, false));
    plane.addEventListener("pointerup", (event) => at(event, true));
  }
}

function keyed(name, key, press, plain = false) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-keyshortcuts", key);
  const shortcut = document.createElement("kbd");
  shortcut.textContent = key;
  const word = document.createElement("span");
  word.textContent = plain ? `${name[0].toUpperCase()}${name.slice(1)} ` : name;
  button.append(...(plain ? [word, shortcut] : [shortcut, word]));
  button.addEventListener("click", press);
  return button;
}
