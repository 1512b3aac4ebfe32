"""Programs of `torch.export` (.pt2) through PyTorch; loads no TensorFlow and no Keras."""

from pathlib import Path

import numpy as np
import torch

from fer_keras.cli import one_line
from fer_keras.runtimes.runtime import Runtime, Tensor
from fer_keras.runtimes.torch_check import check_torch_program


class TorchRuntime(Runtime):
    """A program of `torch.export`, run on the CPU by PyTorch.

    Args:
        path: of the .pt2 file.
        threads: most that one call may use.

    Raises:
        ValueError: a damaged program, another kind of model, or one that could run code of its own (see
            `fer_keras.runtimes.torch_check`).
    """

    def __init__(self, path: Path, threads: int):
        check_torch_program(path)
        try:
            program = torch.export.load(path)
        except Exception as error:  # PyTorch's errors share no base but this
            raise ValueError(f"{path} is not a whole PyTorch program: {one_line(error)}.") from error
        inputs = list(program.graph_signature.user_inputs)
        if len(inputs) != 1:
            raise ValueError(f"{path} expects {len(inputs)} inputs. Expected a model of one input, a batch of faces.")
        sizes = [node.meta["val"].shape for node in program.graph.nodes if node.name == inputs[0]][0]
        self._program, self._threads = program.module(), threads
        image = Tensor(tuple(size if isinstance(size, int) else None for size in sizes), np.dtype(np.float32))
        with torch.no_grad():
            found = self._program(torch.zeros(1, *image.shape[1:]))
        if not isinstance(found, dict):
            raise ValueError(f"{path} has outputs without names. Export it again.")
        outputs = {name: Tensor((None, *value.shape[1:]), np.dtype(np.float32)) for name, value in found.items()}
        super().__init__("torch", image, outputs)

    def _call(self, images):
        torch.set_num_threads(self._threads)
        with torch.no_grad():
            found = self._program(torch.from_numpy(images))
        return {name: value.numpy() for name, value in found.items()}
