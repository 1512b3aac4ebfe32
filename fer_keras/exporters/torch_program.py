"""PyTorch's own file, a program of `torch.export` (.pt2): `torch.export.load(path).module()(faces)` needs PyTorch alone.

Faces are (batch, height, width, 3) float32 RGB 0..255 as in every other format; the program returns a dict by output.

A process has one Keras backend, so the program is traced in another one with KERAS_BACKEND=torch, which runs this file as
`python torch_program.py MODEL.keras MODEL.pt2` and imports Keras and PyTorch alone.
"""

import os
import subprocess
import sys
from pathlib import Path


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
    # -P: this file's folder, where other modules of the package lie, stays off the path.
    command = [sys.executable, "-P", __file__, str(model), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": "torch"})
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise ValueError(f"PyTorch could not trace the model: {lines[-1][:200]}")
    os.replace(program, path)
    return {"torch": version("torch")}


def _trace(model_file: str, program_file: str) -> None:
    """Trace a Keras file's model for any number of faces and save the program."""
    import keras
    import torch

    model = keras.models.load_model(model_file, compile=False, safe_mode=True)

    class Program(torch.nn.Module):
        # A plain function inside, not the model: tracing keeps its weights as constants, and a registered model would be
        # saved a second time.
        def forward(self, image):
            return model(image, training=False)

    faces = torch.zeros(2, *model.input.shape[1:])  # two, because tracing treats a size of one as fixed
    shapes = {"image": {0: torch.export.Dim("batch", min=1)}}
    with torch.no_grad():
        program = torch.export.export(Program().eval(), (faces,), dynamic_shapes=shapes, strict=False)
    torch.export.save(program, program_file)


if __name__ == "__main__":
    _trace(*sys.argv[1:])
