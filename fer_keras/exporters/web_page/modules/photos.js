// Photos: each is read once and stays in a row of small pictures, to be looked at again.

import { decodePhoto, pixelsOf } from "./sources.js";

const SMALL = 112; // pixels, the height of a small picture

export class Photos {
  /** @param {HTMLElement} place of the small pictures; show(photo) is called for the one to look at. */
  constructor(reader, place, show) {
    Object.assign(this, { reader, place, show });
  }

  /** Read a photo file, show it, and return its faces. */
  async add(file) {
    const image = await decodePhoto(file);
    const side = this.reader.facts.detector?.photo_side ?? 1280;
    const { faces, times } = await this.reader.read(pixelsOf(image), side);
    faces.forEach((face, number) => (face.id = number + 1));
    const photo = { name: file.name, image, faces, times };
    const button = await this.#button(photo);
    this.#choose(photo, button);
    return photo;
  }

  /** Remove all photos. */
  clear() {
    this.place.replaceChildren();
  }

  async #button(photo) {
    const button = document.createElement("button");
    button.type = "button";
    const picture = document.createElement("img");
    picture.alt = photo.name;
    picture.src = URL.createObjectURL(await smallPicture(photo.image));
    button.append(picture);
    button.addEventListener("click", () => this.#choose(photo, button));
    this.place.append(button);
    return button;
  }

  #choose(photo, button) {
    for (const other of this.place.children) other.setAttribute("aria-pressed", String(other === button));
    this.show(photo);
  }
}

function smallPicture(image) {
  const canvas = document.createElement("canvas");
  canvas.height = SMALL;
  canvas.width = Math.max(1, Math.round((image.width * SMALL) / image.height));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
