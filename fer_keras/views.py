"""Test-time augmentation: several views of a face, over which a model's answers are averaged."""

from typing import TYPE_CHECKING

from fer_keras.hints import nearest

if TYPE_CHECKING:
    import numpy as np

#: Name of a kind of test-time augmentation -> number of views per face.
TTA = {"none": 1, "flip": 2, "crops": 5, "crops+flip": 10}


def check_tta(tta: str, name: str = "tta") -> str:
    """Return `tta` if it is a key of `TTA`.

    Raises:
        ValueError: it is not; the message suggests the nearest key.
    """
    if tta not in TTA:
        raise ValueError(f"{name} expects one of {', '.join(TTA)}. Received: {tta!r}.{nearest(str(tta), TTA)}")
    return tta


def face_views(
    image: "np.ndarray", image_size: tuple[int, int], tta: str = "none", face_box=None
) -> list["np.ndarray"]:
    """Return the views of a face: the crop alone, with its four closer corners (`crop_views`), and each mirrored.

    Args:
        image, image_size, face_box: as for `crop_face`.
        tta: a key of `TTA`.

    Returns:
        `TTA[tta]` arrays (height, width, 3) uint8 RGB, the crop itself first.
    """
    from fer_keras.preprocessing import crop_face, crop_views  # here: commands list `TTA` before OpenCV is loaded

    views = crop_views(image, image_size, face_box) if "crops" in tta else [crop_face(image, image_size, face_box)]
    return views + [view[:, ::-1] for view in views] if "flip" in tta else views
