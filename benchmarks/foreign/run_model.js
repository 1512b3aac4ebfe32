// Run an ONNX file with onnxruntime-node, compare with saved answers, and time it.
//
//   node run_model.js MODEL FOLDER        (in a folder where onnxruntime-node is installed)
//
// FOLDER as for run_model.py. Prints one line of JSON.
const fs = require("fs");
const path = require("path");
const load = require("module").createRequire(path.join(process.cwd(), "package.json"));
const ort = load("onnxruntime-node");

const SECONDS = 3.0, MOST = 50;
const [model, folder] = process.argv.slice(2);
const reference = JSON.parse(fs.readFileSync(path.join(folder, "reference.json")));
const pixels = fs.readFileSync(path.join(folder, "faces.bin"));
const [count, height, width, channels] = reference.shape;

function tensor(n) {
  const size = n * height * width * channels;
  return new ort.Tensor("float32", Float32Array.from(pixels.subarray(0, size)), [n, height, width, channels]);
}

async function milliseconds(session, n) {
  const feeds = { image: tensor(n) };
  await session.run(feeds);
  const times = [], started = performance.now();
  while (times.length < 3 || (performance.now() - started < 1000 * SECONDS && times.length < MOST)) {
    const before = performance.now();
    await session.run(feeds);
    times.push(performance.now() - before);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
}

const best = (row) => row.indexOf(Math.max(...row));

async function main() {
  const session = await ort.InferenceSession.create(model);
  const found = await session.run({ image: tensor(count) });
  const names = Object.keys(reference.outputs).sort();
  if (names.join() !== Object.keys(found).sort().join()) throw new Error(`outputs ${Object.keys(found)}`);
  let difference = 0, same = 0;
  for (const name of names) {
    const flat = reference.outputs[name].flat();
    flat.forEach((value, i) => { difference = Math.max(difference, Math.abs(value - found[name].data[i])); });
  }
  reference.outputs.emotion.forEach((row, i) => {
    same += best(row) === best(Array.from(found.emotion.data.subarray(i * row.length, (i + 1) * row.length)));
  });
  const version = load("onnxruntime-node/package.json").version;
  const result = { version, difference, top_class: same / count,
    ms_1: await milliseconds(session, 1), ms_16: await milliseconds(session, 16) };
  console.log("RESULT " + JSON.stringify(result));
}

main().catch((error) => { console.error(String(error)); process.exit(1); });
