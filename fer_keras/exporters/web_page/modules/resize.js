// Resizing of 8-bit pictures exactly as OpenCV does it: areas when it shrinks, bilinear when it enlarges.
//
// A picture is {width, height, data}: data is RGBA, four bytes per pixel, as a canvas gives it. Alpha is not computed.

const CHANNELS = 3;
const COEFFICIENT = 2048; // OpenCV's fixed point for bilinear weights: 11 bits
const round = Math.fround; // OpenCV computes areas in float32

/** Return the nearest whole number; halves go to the even one, as in Python and OpenCV. */
export function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest < 0.5) return below;
  if (rest > 0.5) return below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** Return an empty picture, opaque and black. */
export function emptyPicture(width, height) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let at = 3; at < data.length; at += 4) data[at] = 255;
  return { width, height, data };
}

/** Resize a picture: by areas if neither side grows, otherwise bilinearly. */
export function resize(picture, width, height) {
  if (picture.width === width && picture.height === height) return picture;
  const shrinks = picture.width >= width && picture.height >= height;
  return shrinks ? shrinkByArea(picture, width, height) : resizeLinear(picture, width, height);
}

function shrinkByArea(picture, width, height) {
  const scaleX = 1 / (width / picture.width);
  const scaleY = 1 / (height / picture.height);
  const stepX = roundHalfEven(scaleX);
  const stepY = roundHalfEven(scaleY);
  const whole = Math.abs(scaleX - stepX) < Number.EPSILON && Math.abs(scaleY - stepY) < Number.EPSILON;
  if (whole) return shrinkByWhole(picture, width, height, stepX, stepY);
  return shrinkByShares(picture, width, height, scaleX, scaleY);
}

/** Shrink where each pixel is the mean of a whole number of pixels. */
function shrinkByWhole(picture, width, height, stepX, stepY) {
  const target = emptyPicture(width, height);
  const share = round(1 / (stepX * stepY));
  const byTwo = stepX === 2 && stepY === 2; // OpenCV rounds halves up here, elsewhere to even
  const mean = byTwo ? (sum) => (sum + 2) >> 2 : (sum) => roundHalfEven(round(sum * share));
  const sums = new Int32Array(width * CHANNELS);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let row = y * stepY; row < (y + 1) * stepY; row++) addWholeRow(sums, picture, row, stepX);
    writeRow(target, y, sums, mean);
  }
  return target;
}

function addWholeRow(sums, { data, width }, row, step) {
  let at = row * width * 4;
  for (let to = 0; to < sums.length; to += CHANNELS) {
    for (let count = 0; count < step; count++, at += 4) {
      sums[to] += data[at];
      sums[to + 1] += data[at + 1];
      sums[to + 2] += data[at + 2];
    }
  }
}

function writeRow(target, row, values, rounded) {
  let at = row * target.width * 4;
  for (let from = 0; from < values.length; from += CHANNELS, at += 4) {
    target.data[at] = rounded(values[from]);
    target.data[at + 1] = rounded(values[from + 1]);
    target.data[at + 2] = rounded(values[from + 2]);
  }
}

/**
 * Return the pixels of the source that each pixel of the target covers, and their shares: those of pixel p stand at
 * starts[p] to starts[p + 1].
 */
function areaShares(sourceSide, targetSide, scale) {
  const [starts, places, shares] = [[], [], []];
  const add = (place, share) => places.push(place) && shares.push(round(share));
  for (let target = 0; target < targetSide; target++) {
    starts.push(places.length);
    const from = target * scale;
    const to = from + scale;
    const cell = Math.min(scale, sourceSide - from);
    const last = Math.min(Math.floor(to), sourceSide - 1);
    const first = Math.min(Math.ceil(from), last);
    if (first - from > 1e-3) add(first - 1, (first - from) / cell);
    for (let source = first; source < last; source++) add(source, 1 / cell);
    if (to - last > 1e-3) add(last, Math.min(Math.min(to - last, 1), cell) / cell);
  }
  starts.push(places.length);
  return { starts: Int32Array.from(starts), places: Int32Array.from(places), shares: Float32Array.from(shares) };
}

function shrinkByShares(picture, width, height, scaleX, scaleY) {
  const columns = areaShares(picture.width, width, scaleX);
  const rows = areaShares(picture.height, height, scaleY);
  const target = emptyPicture(width, height);
  const sums = new Float32Array(width * CHANNELS);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let each = rows.starts[y]; each < rows.starts[y + 1]; each++) {
      addRow(sums, picture, rows.places[each], rows.shares[each], columns);
    }
    writeRow(target, y, sums, roundHalfEven);
  }
  return target;
}

/** Add a row of the source, shrunk to the target's columns and times a share, to sums; a Float32Array rounds as OpenCV. */
function addRow(sums, { data, width }, row, share, { starts, places, shares }) {
  const start = row * width * 4;
  for (let x = 0, to = 0; to < sums.length; x++, to += CHANNELS) {
    let red = 0;
    let green = 0;
    let blue = 0;
    for (let each = starts[x]; each < starts[x + 1]; each++) {
      const at = start + places[each] * 4;
      const part = shares[each];
      red = round(red + round(data[at] * part));
      green = round(green + round(data[at + 1] * part));
      blue = round(blue + round(data[at + 2] * part));
    }
    sums[to] += round(red * share);
    sums[to + 1] += round(green * share);
    sums[to + 2] += round(blue * share);
  }
}

/** Return, for each pixel of the target, the pixel before it and its fixed-point weights for that one and the next. */
function linearWeights(sourceSide, targetSide, clamped) {
  const scale = 1 / (targetSide / sourceSide);
  const weights = [];
  for (let target = 0; target < targetSide; target++) {
    const place = round((target + 0.5) * scale - 0.5);
    let first = Math.floor(place);
    let rest = round(place - first);
    if (clamped && first < 0) [first, rest] = [0, 0];
    if (clamped && first >= sourceSide - 1) [first, rest] = [sourceSide - 1, 0];
    const one = roundHalfEven(round(round(1 - rest) * COEFFICIENT));
    weights.push([first, one, roundHalfEven(round(rest * COEFFICIENT))]);
  }
  return weights;
}

function resizeLinear(picture, width, height) {
  const columns = linearWeights(picture.width, width, true);
  const rows = linearWeights(picture.height, height, false);
  const target = emptyPicture(width, height);
  const clip = (row) => Math.min(Math.max(row, 0), picture.height - 1);
  for (let y = 0; y < height; y++) {
    const [first, above, below] = rows[y];
    const upper = stretchedRow(picture, clip(first), columns);
    const lower = stretchedRow(picture, clip(first + 1), columns);
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < CHANNELS; channel++) {
        const at = x * CHANNELS + channel;
        const sum = ((above * (upper[at] >> 4)) >> 16) + ((below * (lower[at] >> 4)) >> 16);
        target.data[(y * width + x) * 4 + channel] = (sum + 2) >> 2;
      }
    }
  }
  return target;
}

function stretchedRow(picture, row, columns) {
  const values = new Int32Array(columns.length * CHANNELS);
  const start = row * picture.width * 4;
  for (let x = 0; x < columns.length; x++) {
    const [column, one, other] = columns[x];
    const at = start + column * 4;
    const next = column + 1 < picture.width ? at + 4 : at;
    for (let channel = 0; channel < CHANNELS; channel++) {
      values[x * CHANNELS + channel] = picture.data[at + channel] * one + picture.data[next + channel] * other;
    }
  }
  return values;
}
