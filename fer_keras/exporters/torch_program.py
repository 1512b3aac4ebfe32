"""PyTorch's own file, a program of `torch.export` (.pt2): `torch.export.load(path).module()(faces)` needs PyTorch alone.

Faces are (batch, height, width, 3) float32 RGB 0..255 as for every other format; the program answers a dict by output.
"""

import os
import subprocess
import sys
from pathlib import Path

from fer_keras.runtimes.runtime import last_line


def export_torch(source, path: Path) -> dict:
    """Write the program through Keras's PyTorch backend, in a process of its own.

    Args:
        source: an `ExportSource`.
        path: the file to write.

    Returns:
        Facts for the bundle: the version of PyTorch that wrote it.

    Raises:
        ValueError: the model cannot be traced; the message is PyTorch's.
    """
    from importlib.metadata import version

    model = source.scratch / "torch.keras"
    source.model.save(model)
    program = source.scratch / "torch.pt2"  # torch.export.save insists on the suffix
    # -P: the script's own folder, where other modules of the package lie, stays off the path.
    command = [sys.executable, "-P", str(Path(__file__).with_name("torch_child.py")), str(model), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": "torch"})
    if done.returncode:
        raise ValueError(f"PyTorch could not trace the model: {last_line(done.stderr)}")
    os.replace(program, path)
    return {"torch": version("torch")}
