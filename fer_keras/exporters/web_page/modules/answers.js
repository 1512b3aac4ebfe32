// From the model's outputs to readings: calibration, order, clipping.

const SMALLEST = 1.1754943508222875e-38; // the smallest normal float32: under it the logarithm is not taken

/** Return probabilities with a temperature: p^(1/T), to sum one; at 1 it only makes them sum to one. */
export function withTemperature(probabilities, temperature) {
  const powers = Array.from(probabilities, (share) => Math.max(share, SMALLEST) ** (1 / (temperature ?? 1)));
  const sum = powers.reduce((total, share) => total + share, 0);
  return powers.map((share) => share / sum);
}

/**
 * Return the reading of one face out of a batch's outputs.
 *
 * @param {Object} outputs name -> Float32Array: emotion (n, classes), valence and arousal (n, 1).
 * @param {number} row of the face.
 * @param {Object} facts page.json.
 * @returns {{probabilities?: number[], emotion?: string, confidence?: number, valence?: number, arousal?: number}}
 */
export function readingOf(outputs, row, facts) {
  const reading = {};
  if (outputs.emotion) {
    const count = facts.labels.length;
    const shares = outputs.emotion.subarray(row * count, (row + 1) * count);
    reading.probabilities = withTemperature(shares, facts.temperature);
    Object.assign(reading, topClass(reading.probabilities, facts.labels));
  }
  for (const axis of ["valence", "arousal"]) {
    if (outputs[axis]) reading[axis] = Math.min(1, Math.max(-1, outputs[axis][row]));
  }
  return reading;
}

/** Return the most probable class and its probability. */
export function topClass(probabilities, labels) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  return { emotion: labels[best], confidence: probabilities[best] };
}
