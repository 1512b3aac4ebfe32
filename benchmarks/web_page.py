"""Milliseconds per face and readings per second of an exported page, in a headless Chromium.

  python -m fer_keras.export --formats web --output-dir page
  python benchmarks/web_page.py page/web

The picture is scikit-image's astronaut (public domain) alone and as a group of twelve faces; the camera is Chromium's fake
one, which plays a video of her, 640 x 480. Medians, models loaded and once used before. Threads: one at the first visit, and
those that the page takes from the second visit on. Prints one table.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import skimage.data

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser import Browser, StaticHost  # noqa: E402

READY = "document.getElementById('page')?.dataset.state === 'ready'"

#: Reads a photo many times in the page itself, with its own modules.
MEASURE = """(async () => {
  const load = (name) => import(new URL(`modules/${name}.js`, document.baseURI).href);
  const { FaceReader } = await load('reader');
  const { decodePhoto, pixelsOf } = await load('sources');
  const facts = await (await fetch('page.json')).json();
  const reader = await FaceReader.load(facts, 'wasm');
  const pixels = pixelsOf(await decodePhoto(await (await fetch('PICTURE')).blob()));
  const found = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { faces, times } = await reader.read(pixels, facts.detector?.video_side ?? 320);
    found.push({ faces: faces.length, ...times });
  }
  const median = (name) => found.map((each) => each[name]).sort((a, b) => a - b)[Math.floor(found.length / 2)];
  return { engine: reader.engine.name, faces: median('faces'), find: median('find'), read: median('read') };
})()"""


def pictures() -> dict[str, np.ndarray]:
    """The astronaut alone, and twelve times."""
    alone = cv2.resize(skimage.data.astronaut(), (480, 480), interpolation=cv2.INTER_AREA)
    face = cv2.resize(skimage.data.astronaut()[20:230, 118:328], (160, 160), interpolation=cv2.INTER_AREA)
    framed = np.full((480, 640, 3), 90, np.uint8)
    framed[:, 80:560] = alone
    return {"alone.png": framed, "group.png": np.tile(face, (3, 4, 1))}


def write_camera(path: Path, picture: np.ndarray) -> None:
    """Write a video for the fake camera, in which the picture moves from side to side."""
    with open(path, "wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\n")
        for number in [*range(30), *reversed(range(30))]:
            frame = np.roll(picture, 3 * number - 45, axis=1)
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())


def measure(browser: Browser, rounds: int, seconds: float) -> list[str]:
    """Return a line of the table for each picture, and one for the camera."""
    lines = []
    for name in pictures():
        found = browser.ask(MEASURE.replace("PICTURE", f"pictures/{name}").replace("ROUNDS", str(rounds)))
        per_face = found["read"] / found["faces"]
        lines.append(
            f"{found['engine']:24} {found['faces']:2} faces   find {found['find']:6.1f} ms   cut and read {found['read']:6.1f} "
            f"ms   {per_face:5.1f} ms per face"
        )
    browser.ask("document.getElementById('camera').click()")
    time.sleep(seconds)
    milliseconds, speed = browser.ask(
        "['milliseconds', 'perSecond'].map((name) => document.getElementById('page').dataset[name])"
    )
    browser.ask("document.getElementById('camera').click()")
    return [*lines, f"{found['engine']:24} camera     {milliseconds} ms per frame   {speed} readings per second"]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="folder of the page")
    parser.add_argument("--rounds", type=int, default=30, help="readings of each picture (default: 30)")
    parser.add_argument("--seconds", type=float, default=10, help="of the camera (default: 10)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        folder = scratch / "page"
        folder.mkdir()
        for entry in args.page.iterdir():
            (folder / entry.name).symlink_to(entry.resolve())
        (folder / "pictures").mkdir()
        for name, picture in pictures().items():
            cv2.imwrite(str(folder / "pictures" / name), picture[:, :, ::-1])
        write_camera(scratch / "camera.y4m", pictures()["alone.png"])
        host = StaticHost(folder)
        browser = Browser(
            scratch / "profile",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={scratch / 'camera.y4m'}",
        )
        for _ in range(2):
            browser.open(host.address)
            browser.wait(f"{READY} && document.getElementById('page').dataset.kept")
            browser.wait("navigator.serviceWorker.controller !== null")
            print(*measure(browser, args.rounds, args.seconds), sep="\n", flush=True)
        browser.close()
        host.close()


if __name__ == "__main__":
    main()
