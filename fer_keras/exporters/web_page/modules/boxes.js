// Faces drawn over a picture.

/** Return a face's colour by its id, from 1. */
export function faceColour(id, colours) {
  return colours[(id - 1) % colours.length];
}

/** Draw a frame and around each face a box with what was read. */
export function drawPicture(canvas, image, faces, facts) {
  const [width, height] = [image.videoWidth ?? image.width, image.videoHeight ?? image.height];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  const unit = width / (canvas.clientWidth || width); // lines and words are as thick on a phone as on a wide screen
  for (const face of faces) drawFace(pen, face, faceColour(face.id, facts.face_colours), unit);
}

function drawFace(pen, face, colour, unit) {
  const [x0, y0, x1, y1] = face.box;
  pen.lineWidth = 3 * unit;
  pen.strokeStyle = colour;
  pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
  const text = faceLine(face);
  pen.font = `${15 * unit}px system-ui, sans-serif`;
  const [wide, high] = [pen.measureText(text).width + 10 * unit, 22 * unit];
  const left = Math.max(0, Math.min(x0, pen.canvas.width - wide));
  const top = y0 - high >= 0 ? y0 - high : Math.min(y1, pen.canvas.height - high);
  pen.fillStyle = "#1f2933e6";
  pen.fillRect(left, top, wide, high);
  pen.fillStyle = colour;
  pen.fillRect(left, top, 4 * unit, high);
  pen.fillStyle = "#ffffff";
  pen.textBaseline = "middle";
  pen.fillText(text, left + 7 * unit, top + high / 2);
}

/** Return a face in words. */
export function faceLine(face) {
  const number = `${face.id}`;
  if (face.emotion) return `${number}: ${face.emotion} ${Math.round(100 * face.confidence)} %`;
  return face.valence === undefined ? number : `${number}: valence ${face.valence.toFixed(2)}`;
}
