"""Feed JPEG faces by another loader, in an environment that has no fer_keras, and say how many a second come.

  python feed_faces.py LOADER FOLDER THREADS BATCH [augmented]

LOADER: torch (DataLoader with torchvision's v2 transforms, as many workers as threads) or grain (threads, OpenCV). Augmented
is fer_keras's default: rotation 15 degrees, zoom and shift 0.1, mirror, brightness and contrast 0.1. Prints faces a second
and, where all work is in one process, microseconds of processor time a face, as JSON.
"""

import json
import math
import sys
import time
from pathlib import Path


def torch_batches(paths, threads, batch, augmented):
    """Return the number of faces of each batch of one pass, made by PyTorch."""
    import torch
    from torchvision.io import decode_jpeg, read_file
    from torchvision.transforms import v2

    torch.set_num_threads(1)
    moves = v2.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), interpolation=v2.InterpolationMode.BILINEAR)
    change = v2.Compose([v2.RandomHorizontalFlip(), moves, v2.ColorJitter(0.1, 0.1)]) if augmented else None

    class Faces(torch.utils.data.Dataset):
        def __len__(self):
            return len(paths)

        def __getitem__(self, number):
            face = decode_jpeg(read_file(paths[number]))
            return change(face) if change else face

    loader = torch.utils.data.DataLoader(
        Faces(), batch, shuffle=True, num_workers=threads, drop_last=True, persistent_workers=True
    )
    return lambda: (len(faces) for faces in loader)


def grain_batches(paths, threads, batch, augmented):
    """Return the number of faces of each batch of one pass, made by Grain."""
    import cv2
    import grain
    import numpy as np

    cv2.setNumThreads(1)

    def load(path):
        return cv2.cvtColor(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def change(face, rng):
        side, angle, scale = len(face), math.radians(rng.uniform(-15, 15)), rng.uniform(0.9, 1.1)
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([rng.choice([-1.0, 1.0]), 1])
        move = (side - 1) / 2 + rng.uniform(-0.1, 0.1, 2) * side - turn @ np.full(2, (side - 1) / 2)
        face = cv2.warpAffine(face, np.column_stack([turn, move]), (side, side), borderMode=cv2.BORDER_REPLICATE)
        gain = rng.uniform(0.9, 1.1)
        return cv2.addWeighted(face, gain, face, 0, (1 - gain) * face.mean() + rng.uniform(-25, 25))

    data = grain.MapDataset.source(paths).seed(0).shuffle().map(load)
    data = data.random_map(change) if augmented else data
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * batch)
    data = data.batch(batch, drop_remainder=True).to_iter_dataset(options)
    return lambda: (len(faces) for faces in data)


def main():
    """Run one pass to warm up and some to time, 2,000 faces or more."""
    name, folder, threads, batch, *augmented = sys.argv[1:]
    paths = [str(path) for path in sorted(Path(folder).rglob("*.jpg"))]
    make = {"torch": torch_batches, "grain": grain_batches}[name]
    batches = make(paths, int(threads), int(batch), bool(augmented))
    sum(batches())
    started, spent = time.perf_counter(), time.process_time()
    faces = sum(sum(batches()) for _ in range(-(-2000 // len(paths))))
    seconds, spent = time.perf_counter() - started, time.process_time() - spent
    print(json.dumps([faces / seconds, spent / faces * 1e6 if name == "grain" else None]))  # torch has processes


if __name__ == "__main__":
    main()
