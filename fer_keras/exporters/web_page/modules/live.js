// A camera or a video: frames are read as fast as the model answers, and drawn as fast as the screen shows.

import { pixelsOf } from "./sources.js";
import { shownFace, Tracker } from "./tracker.js";

const SPEED_SHARE = 0.1; // of the newest reading in the speed that is shown

export class Live {
  #running = false;
  tracker = new Tracker();
  speed = { milliseconds: 0, perSecond: 0 };

  /**
   * @param {Object} reader FaceReader.
   * @param {HTMLVideoElement} video
   * @param {{show: function, record: function, fail: function}} outputs show(faces) for each frame of the screen,
   *   record(seconds, faces) for each reading, fail(error).
   */
  constructor(reader, video, outputs) {
    Object.assign(this, { reader, video, outputs });
  }

  start() {
    this.#running = true;
    this.tracker.reset();
    this.speed = { milliseconds: 0, perSecond: 0 };
    this.#readFrames().catch(this.outputs.fail);
    requestAnimationFrame(() => this.#draw());
  }

  stop() {
    this.#running = false;
  }

  async #readFrames() {
    const side = this.reader.facts.detector?.video_side ?? 320;
    let before = performance.now();
    let last = -1;
    while (this.#running && !this.video.ended) {
      if (this.video.readyState >= 2 && this.video.currentTime !== last) {
        last = this.video.currentTime;
        const { faces, times } = await this.reader.read(pixelsOf(this.video), side);
        if (!this.#running) return;
        const now = performance.now();
        this.tracker.update(faces, now);
        this.outputs.record(last, faces);
        this.#measure(times.find + times.read, now - before);
        before = now;
      }
      await new Promise((resolve) => setTimeout(resolve)); // the screen comes first
    }
  }

  #measure(milliseconds, passed) {
    const share = this.speed.milliseconds ? SPEED_SHARE : 1;
    this.speed.milliseconds += (milliseconds - this.speed.milliseconds) * share;
    this.speed.perSecond += (1000 / passed - this.speed.perSecond) * share;
  }

  #draw() {
    if (!this.#running) return;
    if (this.video.videoWidth) {
      this.tracker.advance(performance.now());
      const labels = this.reader.facts.labels;
      this.outputs.show(this.tracker.tracks.map((track) => shownFace(track, labels)));
    }
    requestAnimationFrame(() => this.#draw());
  }
}
