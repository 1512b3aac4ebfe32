// The valence-arousal plane, with a trail for each face.

import { faceColour } from "./boxes.js";

const MARGIN = 26;

/** Draw the plane, and each face that has both axes as a point with its trail. */
export function drawPlane(canvas, faces, facts) {
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const side = canvas.width;
  const half = side / 2 - MARGIN;
  const place = ([valence, arousal]) => [side / 2 + valence * half, side / 2 - arousal * half];
  pen.clearRect(0, 0, side, side);
  drawGrid(pen, side, half, { line: colour("line"), word: colour("muted") });
  for (const face of faces) {
    if (face.valence === undefined || face.arousal === undefined) continue;
    const trail = face.trail ?? [];
    drawTrail(pen, trail.map(place), faceColour(face.id, facts.face_colours));
    drawPoint(pen, place([face.valence, face.arousal]), faceColour(face.id, facts.face_colours), colour("ink"));
  }
}

function drawGrid(pen, side, half, { line, word }) {
  pen.strokeStyle = line;
  pen.lineWidth = 1;
  pen.strokeRect(side / 2 - half, side / 2 - half, 2 * half, 2 * half);
  pen.beginPath();
  pen.arc(side / 2, side / 2, half, 0, 2 * Math.PI);
  pen.moveTo(side / 2 - half, side / 2);
  pen.lineTo(side / 2 + half, side / 2);
  pen.moveTo(side / 2, side / 2 - half);
  pen.lineTo(side / 2, side / 2 + half);
  pen.stroke();
  pen.fillStyle = word;
  pen.font = "13px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText("valence", side / 2, side - MARGIN / 2);
  pen.save();
  pen.translate(MARGIN / 2, side / 2);
  pen.rotate(-Math.PI / 2);
  pen.fillText("arousal", 0, 0);
  pen.restore();
}

function drawTrail(pen, points, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  for (let number = 1; number < points.length; number++) {
    pen.globalAlpha = (0.7 * number) / points.length;
    pen.beginPath();
    pen.moveTo(...points[number - 1]);
    pen.lineTo(...points[number]);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

function drawPoint(pen, [x, y], colour, edge) {
  pen.beginPath();
  pen.arc(x, y, 6, 0, 2 * Math.PI);
  pen.fillStyle = colour;
  pen.strokeStyle = edge;
  pen.lineWidth = 1.5;
  pen.fill();
  pen.stroke();
}
