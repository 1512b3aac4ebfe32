"""Write a .keras file as a program of `torch.export`: python torch_child.py MODEL.keras MODEL.pt2

Run by `torch_program.py` in a process of its own with KERAS_BACKEND=torch, because a process has one backend. It needs Keras
and PyTorch alone, and imports neither before it runs.
"""

import sys


def main(source: str, target: str) -> None:
    """Trace the model for any number of faces and save the program."""
    import keras
    import torch

    model = keras.models.load_model(source, compile=False, safe_mode=True)

    class Program(torch.nn.Module):
        # A plain function inside, not the model: tracing keeps its weights as constants, and a registered model would be
        # saved a second time.
        def forward(self, image):
            return model(image, training=False)

    faces = torch.zeros(2, *model.input.shape[1:])  # two, because tracing takes a size of one for fixed
    shapes = {"image": {0: torch.export.Dim("batch", min=1)}}
    with torch.no_grad():
        program = torch.export.export(Program().eval(), (faces,), dynamic_shapes=shapes, strict=False)
    torch.export.save(program, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
