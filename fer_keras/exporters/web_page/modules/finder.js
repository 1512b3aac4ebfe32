// Finding the faces of a picture: YuNet on a picture of the size that it works best with.

import { resize, roundHalfEven } from "./resize.js";
import { yunetFaces, yunetInput } from "./yunet.js";

/** Return the size of the picture that the detector sees, and its scale; fer_keras.faces.finder has the same rule. */
export function viewOf(width, height, side, leastSide) {
  const scale = Math.min(Math.max(1, leastSide / Math.min(width, height)), side / Math.max(width, height));
  return {
    scale,
    width: Math.max(1, roundHalfEven(width * scale)),
    height: Math.max(1, roundHalfEven(height * scale)),
  };
}

/** Return a face that was found in a scaled picture, in the pixels of the picture itself. */
export function unscaled(face, scale) {
  if (scale === 1) return face;
  const landmarks = face.landmarks.map((point) => point.map((value) => (value + 0.5) / scale - 0.5));
  return { ...face, box: face.box.map((value) => value / scale), landmarks };
}

/** Return those faces that are inside the picture and large enough, their boxes padded. */
export function usableFaces(faces, { width, height }, { min_face: least, padding }) {
  return faces
    .filter(({ box: [x0, y0, x1, y1] }) => {
      const inside = x1 > 0.5 && y1 > 0.5 && x0 < width - 0.5 && y0 < height - 0.5;
      return inside && Math.min(x1 - x0, y1 - y0) >= least;
    })
    .map((face) => ({ ...face, box: padded(face.box, padding) }));
}

function padded([x0, y0, x1, y1], share) {
  const [wide, high] = [(x1 - x0) * share, (y1 - y0) * share];
  return [x0 - wide, y0 - high, x1 + wide, y1 + high];
}

/**
 * Return the faces of a picture, best first.
 *
 * @param {Object} picture RGBA, see resize.js.
 * @param {function(Object): Promise<Object>} run the detector's network: {values, shape} -> its answers by name.
 * @param {Object} rules `detector` of page.json.
 * @param {number} side larger pictures are shrunk to this.
 */
export async function findFaces(picture, run, rules, side) {
  const view = viewOf(picture.width, picture.height, side, rules.least_side);
  const input = yunetInput(resize(picture, view.width, view.height));
  const faces = yunetFaces(await run(input), input.shape, rules);
  return usableFaces(faces.map((face) => unscaled(face, view.scale)), picture, rules);
}
