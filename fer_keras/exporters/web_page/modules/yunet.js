// YuNet: what OpenCV's FaceDetectorYN puts in and how it reads the answers.

const STRIDES = [8, 16, 32];
const DIVISOR = 32;
const MOST = 5000;

/** Return the network's input: BGR planes 0 to 255, filled with black to multiples of 32. */
export function yunetInput(picture) {
  const width = Math.ceil(picture.width / DIVISOR) * DIVISOR;
  const height = Math.ceil(picture.height / DIVISOR) * DIVISOR;
  const values = new Float32Array(3 * width * height);
  const plane = width * height;
  for (let y = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++) {
      const from = (y * picture.width + x) * 4;
      const to = y * width + x;
      values[to] = picture.data[from + 2];
      values[to + plane] = picture.data[from + 1];
      values[to + 2 * plane] = picture.data[from];
    }
  }
  return { values, shape: [1, 3, height, width] };
}

/**
 * Read the network's answers.
 *
 * @param {Object} outputs name -> Float32Array: cls_8, obj_8, bbox_8, kps_8 and so on.
 * @param {number[]} shape of the input.
 * @param {{confidence: number, overlap: number}} limits least score, most overlap of two faces.
 * @returns {{box: number[], score: number, landmarks: number[][]}[]} faces, best first.
 */
export function yunetFaces(outputs, [, , height, width], limits) {
  const found = [];
  for (const stride of STRIDES) {
    const columns = width / stride;
    const cells = columns * (height / stride);
    for (let cell = 0; cell < cells; cell++) {
      const score = cellScore(outputs, stride, cell);
      if (score >= limits.confidence) found.push(cellFace(outputs, stride, cell, columns, score));
    }
  }
  return withoutOverlaps(found, limits.overlap);
}

function cellScore(outputs, stride, cell) {
  const clip = (value) => Math.min(Math.max(value, 0), 1);
  return Math.sqrt(clip(outputs[`cls_${stride}`][cell]) * clip(outputs[`obj_${stride}`][cell]));
}

function cellFace(outputs, stride, cell, columns, score) {
  const column = cell % columns;
  const row = Math.floor(cell / columns);
  const shifts = outputs[`bbox_${stride}`].subarray(cell * 4, cell * 4 + 4);
  const points = outputs[`kps_${stride}`].subarray(cell * 10, cell * 10 + 10);
  const wide = Math.exp(shifts[2]) * stride;
  const high = Math.exp(shifts[3]) * stride;
  const left = (column + shifts[0]) * stride - wide / 2;
  const top = (row + shifts[1]) * stride - high / 2;
  const landmarks = [];
  for (let point = 0; point < 10; point += 2) {
    landmarks.push([(points[point] + column) * stride, (points[point + 1] + row) * stride]);
  }
  return { box: [left, top, left + wide, top + high], score, landmarks };
}

/** Return the faces, best first, without those that overlap a better one; OpenCV compares boxes in whole pixels. */
function withoutOverlaps(faces, most) {
  const kept = [];
  const order = faces.map((face, place) => [face, place]).sort((a, b) => b[0].score - a[0].score || a[1] - b[1]);
  for (const [face] of order.slice(0, MOST)) {
    const box = wholePixels(face.box);
    if (kept.every((other) => overlap(wholePixels(other.box), box) <= most)) kept.push(face);
  }
  return kept;
}

function wholePixels([x0, y0, x1, y1]) {
  const [left, top] = [Math.trunc(x0), Math.trunc(y0)];
  return [left, top, left + Math.trunc(x1 - x0), top + Math.trunc(y1 - y0)];
}

/** Return the intersection over union of two boxes. */
export function overlap(one, other) {
  const wide = Math.max(0, Math.min(one[2], other[2]) - Math.max(one[0], other[0]));
  const high = Math.max(0, Math.min(one[3], other[3]) - Math.max(one[1], other[1]));
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  const either = area(one) + area(other) - wide * high;
  return either > 0 ? (wide * high) / either : 0;
}
