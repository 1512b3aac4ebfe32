// From a picture to readings: faces are found, cut out and read in one batch.

import { readingOf } from "./answers.js";
import { loadEngine } from "./engine.js";
import { findFaces } from "./finder.js";
import { cropFace, GEOMETRY_VERSION, toFloats } from "./geometry.js";

export class FaceReader {
  /** Load the models that page.json names; `wanted` is the engine, see loadEngine. */
  static async load(facts, wanted = "auto") {
    if (facts.geometry.version !== GEOMETRY_VERSION) {
      throw new Error(`The model expects geometry version ${facts.geometry.version}; this page has ${GEOMETRY_VERSION}.`);
    }
    try {
      return await FaceReader.#with(facts, wanted);
    } catch (error) {
      if (wanted === "wasm") throw error;
      console.warn("The model does not run on WebGPU:", error);
      return FaceReader.#with(facts, "wasm");
    }
  }

  static async #with(facts, wanted) {
    const engine = await loadEngine(facts.runtime, wanted);
    const model = await engine.open(facts.model.file);
    const detector = facts.detector && (await engine.open(facts.detector.file, true));
    const reader = new FaceReader(facts, engine, model, detector);
    const [height, width] = facts.image_size;
    await reader.readCrops([{ width, height, data: new Uint8ClampedArray(width * height * 4) }]); // prepares
    return reader;
  }

  constructor(facts, engine, model, detector) {
    Object.assign(this, { facts, engine, model, detector });
  }

  /**
   * Return the faces of a picture with their readings, best first.
   *
   * @param {Object} picture RGBA, such as ImageData.
   * @param {number} side larger pictures are shrunk to this for finding faces.
   */
  async read(picture, side) {
    const started = performance.now();
    const faces = await this.find(picture, side);
    const found = performance.now();
    const crops = faces.map((face) => cropFace(picture, this.facts.image_size, face.box));
    const readings = crops.length ? await this.readCrops(crops) : [];
    const times = { find: found - started, read: performance.now() - found };
    return { faces: faces.map((face, number) => ({ ...face, ...readings[number] })), times };
  }

  /** Return the faces of a picture; without a detector the picture is one face. */
  async find(picture, side) {
    if (!this.detector) return [{ box: [0, 0, picture.width, picture.height], score: 1, landmarks: [] }];
    return findFaces(picture, (input) => this.#detect(input), this.facts.detector, side);
  }

  /** Return the readings of faces that are cut out and of the model's size. */
  async readCrops(crops) {
    const [height, width] = this.facts.image_size;
    const values = new Float32Array(crops.length * height * width * 3);
    crops.forEach((crop, number) => toFloats(crop, values, number * height * width * 3));
    const shape = [crops.length, height, width, 3];
    const answers = await this.model.run({ [this.model.inputNames[0]]: this.engine.tensor(values, shape) });
    const outputs = Object.fromEntries(Object.entries(answers).map(([name, tensor]) => [name, tensor.data]));
    return crops.map((_, row) => readingOf(outputs, row, this.facts));
  }

  async #detect({ values, shape }) {
    const answers = await this.detector.run({ [this.detector.inputNames[0]]: this.engine.tensor(values, shape) });
    return Object.fromEntries(Object.entries(answers).map(([name, tensor]) => [name, tensor.data]));
  }
}
