// What happens when someone presses, drops or chooses.

import { drawPicture, faceLine } from "./boxes.js";
import { Cards } from "./cards.js";
import { Live } from "./live.js";
import { Photos } from "./photos.js";
import { drawPlane } from "./plane.js";
import { download, Results } from "./results.js";
import { listCameras, startCamera, startVideoFile, stopVideo } from "./sources.js";
import { startTheme } from "./theme.js";

const SPOKEN_EVERY = 3000; // milliseconds

export class App {
  #shown = { faces: [] };
  #source = "";
  #spokenAt = 0;
  #turn = 0; // what was asked for last; earlier files are not read further
  #finished = () => {};

  /** @param {Object} facts page.json. @param {FaceReader} reader @param {function(string): Element} byId */
  constructor(facts, reader, byId) {
    Object.assign(this, { facts, reader, byId });
    this.video = byId("video");
    this.results = new Results(facts);
    this.cards = new Cards(byId("cards"), facts);
    this.photos = new Photos(reader, byId("thumbnails"), (photo) => this.#show(photo.image, photo.faces));
    this.live = new Live(reader, this.video, {
      show: (faces) => this.#show(this.video, faces),
      record: (seconds, faces) => this.#record(seconds, faces),
      fail: (error) => this.#guard(() => Promise.reject(error)),
    });
  }

  start() {
    const on = (id, event, act) => this.byId(id).addEventListener(event, (found) => this.#guard(() => act(found)));
    on("camera", "click", () => this.#toggleCamera());
    on("cameras", "change", () => this.#openCamera(this.byId("cameras").value));
    on("files", "change", () => this.#open([...this.byId("files").files]));
    on("csv", "click", () => download(new Blob([this.results.toCsv()], { type: "text/csv" }), "readings.csv"));
    on("picture", "click", () => this.byId("canvas").toBlob((blob) => download(blob, "picture.png")));
    on("clear", "click", () => this.#clear());
    this.video.addEventListener("ended", () => this.#stop());
    this.#acceptDrops(this.byId("stage"));
    startTheme(this.byId("theme"), () => drawPlane(this.byId("plane"), this.#shown.faces, this.facts));
    for (const id of ["camera", "files"]) this.byId(id).disabled = false;
    const finds = this.facts.detector ? "" : " This page has no face detector: each picture is taken as one face.";
    const { backbone, licence } = this.facts.model;
    this.byId("about").textContent = `Model ${backbone}. ${licence}. fer_keras ${this.facts.version}.${finds}`;
    this.#state("ready", `Ready (${this.reader.engine.name})`);
  }

  /** Do something; an error is told in the page. */
  async #guard(act) {
    try {
      await act();
    } catch (error) {
      console.error(error);
      this.#state("failed", error.name === "NotAllowedError" ? "The camera was not allowed" : error.message);
    }
  }

  #toggleCamera() {
    return this.#source ? this.#stop() : this.#openCamera();
  }

  async #openCamera(deviceId) {
    this.#turn++;
    this.#stop();
    await startCamera(this.video, deviceId);
    this.#startLive("camera");
    await this.#listCameras();
  }

  async #listCameras() {
    const cameras = await listCameras();
    const current = this.video.srcObject?.getVideoTracks()[0]?.getSettings().deviceId;
    const options = cameras.map(({ label, deviceId }, number) => {
      return new Option(label || `Camera ${number + 1}`, deviceId, false, deviceId === current);
    });
    this.byId("cameras").replaceChildren(...options);
    this.byId("cameras-label").hidden = cameras.length < 2;
  }

  #startLive(source) {
    this.#source = source;
    this.byId("camera").textContent = source === "camera" ? "Stop camera" : "Stop video";
    this.byId("page").dataset.state = "live";
    this.live.start();
  }

  #stop() {
    if (!this.#source) return;
    this.live.stop();
    stopVideo(this.video);
    this.#source = "";
    this.byId("camera").textContent = "Start camera";
    this.#state("ready", `Ready (${this.reader.engine.name})`);
    this.#finished();
  }

  /** Read photos one after the other, and play a video. */
  async #open(files) {
    const turn = ++this.#turn;
    this.byId("files").value = "";
    this.#stop();
    const unread = [];
    for (const [number, file] of files.entries()) {
      if (turn !== this.#turn) return;
      this.#state("reading", `Reading ${number + 1} of ${files.length}: ${file.name}`);
      try {
        if (file.type.startsWith("video/")) await this.#playVideo(file);
        else await this.#readPhoto(file);
      } catch (error) {
        console.warn(error);
        unread.push(file.name);
      }
    }
    if (unread.length) this.#state("failed", `Not a picture or video that this browser reads: ${unread.join(", ")}`);
  }

  async #readPhoto(file) {
    const { faces, times } = await this.photos.add(file);
    this.results.add(file.name, "", faces);
    const milliseconds = Math.round(times.find + times.read);
    this.#state("ready", `${file.name}: ${counted(faces.length)} in ${milliseconds} ms (${this.reader.engine.name})`);
    this.#speak(faces, true);
  }

  async #playVideo(file) {
    await startVideoFile(this.video, file);
    this.#startLive(file.name);
    await new Promise((resolve) => (this.#finished = resolve));
  }

  #show(image, faces) {
    this.#shown = { faces };
    this.byId("hint").hidden = true;
    drawPicture(this.byId("canvas"), image, faces, this.facts);
    drawPlane(this.byId("plane"), faces, this.facts);
    this.cards.show(faces);
    for (const id of ["csv", "picture", "clear"]) this.byId(id).disabled = false;
  }

  #record(seconds, faces) {
    this.results.add(this.#source, seconds, faces);
    const { milliseconds, perSecond } = this.live.speed;
    const page = this.byId("page");
    [page.dataset.milliseconds, page.dataset.perSecond] = [milliseconds.toFixed(1), perSecond.toFixed(1)];
    this.byId("status").textContent =
      `${counted(faces.length)}, ${milliseconds.toFixed(0)} ms, ${perSecond.toFixed(0)} readings per second (${this.reader.engine.name})`;
    this.#speak(faces);
  }

  /** Tell a screen reader what is seen, not too often. */
  #speak(faces, now = false) {
    if (!now && performance.now() - this.#spokenAt < SPOKEN_EVERY) return;
    this.#spokenAt = performance.now();
    const words = `${counted(faces.length)}${faces.length ? ". " : ""}${faces.slice(0, 4).map(faceLine).join("; ")}`;
    this.byId("canvas").setAttribute("aria-label", words);
    if (this.byId("speech").textContent !== words) this.byId("speech").textContent = words;
  }

  #clear() {
    this.#turn++;
    this.#stop();
    this.results.rows = [];
    this.photos.clear();
    this.cards.show([]);
    this.#shown = { faces: [] };
    drawPlane(this.byId("plane"), [], this.facts);
    const canvas = this.byId("canvas");
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    this.byId("hint").hidden = false;
    for (const id of ["csv", "picture", "clear"]) this.byId(id).disabled = true;
  }

  #acceptDrops(stage) {
    const over = (event) => {
      event.preventDefault();
      stage.classList.toggle("dropping", event.type === "dragover");
    };
    for (const event of ["dragover", "dragleave", "drop"]) stage.addEventListener(event, over);
    stage.addEventListener("drop", (event) => this.#guard(() => this.#open([...event.dataTransfer.files])));
  }

  #state(state, words) {
    this.byId("page").dataset.state = state;
    this.byId("status").textContent = words; // changes too often to be spoken while a camera is read
    this.byId("speech").textContent = words;
  }
}

function counted(count) {
  return count === 1 ? "1 face" : `${count} faces`;
}
