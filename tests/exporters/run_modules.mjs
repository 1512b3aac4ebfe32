// Runs the page's modules on the jobs of a JSON file: node run_modules.mjs MODULES JOBS ANSWERS.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, jobs, answers] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(`${folder}/${name}`).href);
const geometry = await load("geometry.js");
const finder = await load("finder.js");
const yunet = await load("yunet.js");
const reading = await load("answers.js");
const { Results } = await load("results.js");

const picture = ({ width, height, rgba }) => ({ width, height, data: Uint8ClampedArray.from(Buffer.from(rgba, "base64")) });
const floats = (outputs) =>
  Object.fromEntries(Object.entries(outputs).map(([name, values]) => [name, Float32Array.from(values)]));
const run = {
  crop: (job) => Buffer.from(geometry.cropFace(picture(job.picture), job.size, job.box ?? undefined).data).toString("base64"),
  square: (job) => geometry.squareBox(job.box, job.size),
  view: (job) => finder.viewOf(job.width, job.height, job.side, job.least),
  input: (job) => Array.from(yunet.yunetInput(picture(job.picture)).values),
  faces: (job) => yunet.yunetFaces(floats(job.outputs), job.shape, job.limits),
  csv: ({ facts, rows }) => {
    const results = new Results(facts);
    for (const { source, seconds, faces } of rows) results.add(source, seconds, faces);
    return results.toCsv();
  },
  reading: (job) => reading.readingOf(floats(job.outputs), job.row, job.facts),
};
writeFileSync(answers, JSON.stringify(JSON.parse(readFileSync(jobs, "utf8")).map((job) => run[job.kind](job))));
