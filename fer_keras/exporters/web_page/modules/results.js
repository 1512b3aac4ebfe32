// What was read, for download: a CSV table, and the picture as it is shown.

const FORMULA = /^'*[=+\-@\t\r\n]/; // spreadsheets would run it: such names get an apostrophe, as in the package's files
const MOST = 200_000; // rows of a long session; the first ones are kept

export class Results {
  rows = [];

  constructor(facts) {
    this.facts = facts;
  }

  /** Add the faces of one picture or frame; `seconds` is empty for photos. */
  add(source, seconds, faces) {
    for (const face of faces) {
      if (this.rows.length < MOST) this.rows.push({ source, seconds, face });
    }
  }

  /** Return the table as CSV: a line for each face of each picture, columns named as in the package's results files. */
  toCsv() {
    const axes = ["valence", "arousal"].filter((axis) => this.facts.outputs.includes(axis));
    const labels = this.facts.labels;
    const top = labels.length ? ["emotion", "confidence"] : [];
    const shares = labels.map((label) => `probability_${label}`);
    const lines = [["path", "seconds", "face", "x0", "y0", "x1", "y1", ...top, ...axes, "detection", ...shares]];
    for (const { source, seconds, face } of this.rows) {
      const read = [...top, ...axes].map((name) => face[name]);
      lines.push([source, seconds, face.id, ...face.box, ...read, face.score, ...(face.probabilities ?? [])]);
    }
    return lines.map((cells) => cells.map(cell).join(",")).join("\r\n") + "\r\n";
  }
}

function cell(value) {
  if (typeof value === "number") return Number.isInteger(value) ? `${value}` : value.toFixed(5);
  const given = String(value ?? "");
  const text = FORMULA.test(given) ? `'${given}` : given;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Let the browser save a file. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
