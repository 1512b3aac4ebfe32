// Which face is which from frame to frame, and what is shown of it: numbers that move smoothly.

import { topClass } from "./answers.js";
import { overlap } from "./yunet.js";

const SAME = 0.3; // overlap of a face with itself one reading later
const KEPT = 600; // milliseconds that a face may be missing
const SETTLING = { numbers: 250, box: 80 }; // milliseconds after which two thirds of a change are shown
const TRAIL = { points: 40, every: 50 }; // milliseconds

export class Tracker {
  #next = 1;
  tracks = [];

  /** Take the faces of a frame; each gets the id of the known face that it overlaps most, or a new one. */
  update(faces, time) {
    const free = new Set(this.tracks);
    for (const face of faces) {
      const track = closest(free, face.box);
      if (track) free.delete(track);
      const known = track ?? this.#started(face, time);
      Object.assign(known, { target: face, seen: time });
      face.id = known.id;
    }
    this.tracks = this.tracks.filter((track) => time - track.seen <= KEPT);
  }

  /** Move what is shown towards the last readings. */
  advance(time) {
    for (const track of this.tracks) {
      const step = time - track.shownAt;
      track.shownAt = time;
      move(track, step);
      extendTrail(track, time);
    }
  }

  /** Forget all faces. */
  reset() {
    this.tracks = [];
    this.#next = 1;
  }

  #started(face, time) {
    const shown = { ...face, box: [...face.box], probabilities: face.probabilities && [...face.probabilities] };
    const track = { id: this.#next++, shown, target: face, seen: time, shownAt: time, trail: [], trailAt: -Infinity };
    this.tracks.push(track);
    return track;
  }
}

function closest(tracks, box) {
  let [best, most] = [null, SAME];
  for (const track of tracks) {
    const shared = overlap(track.target.box, box);
    if (shared >= most) [best, most] = [track, shared];
  }
  return best;
}

function move(track, step) {
  const { shown, target } = track;
  const towards = (one, other, settling) => one + (other - one) * (1 - Math.exp(-step / settling));
  shown.box = shown.box.map((value, side) => towards(value, target.box[side], SETTLING.box));
  if (target.probabilities) {
    shown.probabilities = shown.probabilities.map((value, code) =>
      towards(value, target.probabilities[code], SETTLING.numbers),
    );
  }
  for (const axis of ["valence", "arousal"]) {
    if (axis in target) shown[axis] = towards(shown[axis], target[axis], SETTLING.numbers);
  }
}

function extendTrail(track, time) {
  const { valence, arousal } = track.shown;
  if (valence === undefined || arousal === undefined || time - track.trailAt < TRAIL.every) return;
  track.trailAt = time;
  track.trail.push([valence, arousal]);
  if (track.trail.length > TRAIL.points) track.trail.shift();
}

/** Return what is shown of a track, with its most probable class. */
export function shownFace(track, labels) {
  const named = track.shown.probabilities ? topClass(track.shown.probabilities, labels) : {};
  return { ...track.shown, ...named, id: track.id, trail: track.trail };
}
