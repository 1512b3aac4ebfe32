// Geometry of a face: the rule of fer_keras/preprocessing.py, pixel for pixel.

import { emptyPicture, resize, roundHalfEven } from "./resize.js";

/** The version of the rule that is written here; a bundle records the one that its model was trained with. */
export const GEOMETRY_VERSION = 1;

/**
 * Grow a box about its centre to the aspect ratio of a size, in whole pixels.
 *
 * @param {number[]} box x0, y0, x1, y1 in pixels, x1 and y1 exclusive.
 * @param {number[]} imageSize height, width of the model's input.
 * @returns {number[]} a box that can reach beyond the picture.
 */
export function squareBox([x0, y0, x1, y1], [height, width]) {
  if (!(x1 > x0 && y1 > y0)) {
    throw new RangeError(`Expected a box with x0 < x1 and y0 < y1. Received: ${[x0, y0, x1, y1]}.`);
  }
  const wide = Math.max(x1 - x0, ((y1 - y0) * width) / height);
  const high = (wide * height) / width;
  const left = roundHalfEven((x0 + x1 - wide) / 2);
  const top = roundHalfEven((y0 + y1 - high) / 2);
  return [left, top, left + Math.max(1, roundHalfEven(wide)), top + Math.max(1, roundHalfEven(high))];
}

/** Cut a box of whole pixels out of a picture; what lies beyond the picture repeats its edge. */
export function cut(picture, [x0, y0, x1, y1]) {
  const { width, height, data } = picture;
  if (x1 <= 0 || y1 <= 0 || x0 >= width || y0 >= height) {
    throw new RangeError(`Expected a box inside the picture of ${width} x ${height}. Received: ${[x0, y0, x1, y1]}.`);
  }
  const part = emptyPicture(x1 - x0, y1 - y0);
  for (let y = y0; y < y1; y++) {
    const row = Math.min(Math.max(y, 0), height - 1) * width;
    for (let x = x0; x < x1; x++) {
      const from = (row + Math.min(Math.max(x, 0), width - 1)) * 4;
      const to = ((y - y0) * part.width + (x - x0)) * 4;
      part.data[to] = data[from];
      part.data[to + 1] = data[from + 1];
      part.data[to + 2] = data[from + 2];
    }
  }
  return part;
}

/** Crop a face to the aspect ratio of a size and resize it; without a box, the whole picture. */
export function cropFace(picture, imageSize, box = [0, 0, picture.width, picture.height]) {
  return resize(cut(picture, squareBox(box, imageSize)), imageSize[1], imageSize[0]);
}

/** Return a picture's colours as the model takes them: float32, RGB 0 to 255, rows of pixels. */
export function toFloats(picture, into = new Float32Array(picture.width * picture.height * 3), offset = 0) {
  for (let pixel = 0; pixel < picture.width * picture.height; pixel++) {
    into[offset + pixel * 3] = picture.data[pixel * 4];
    into[offset + pixel * 3 + 1] = picture.data[pixel * 4 + 1];
    into[offset + pixel * 3 + 2] = picture.data[pixel * 4 + 2];
  }
  return into;
}
