"""How far one model made of several is from them: from the mean of its members' answers, each reading faces its own way.

Two figures, since two things differ. Of the same pixels the one model must answer as its members do, to the tolerance of a
float format: that checks weights, order of classes, temperatures and means. But `predict --model a,b` resizes a face from
its picture to each member's size, and the one model from its own input: that loses sharpness where its input is small or the
picture smaller than it, which no tolerance of floats holds. So accuracy and CCC judge it, as with quantised formats.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fer_keras.exporters.export_options import ExportOptions
from fer_keras.exporters.parity import compare_outputs, keras_outputs, reasons_to_refuse, score_loss
from fer_keras.exporters.source import FaceSource, JudgingFaces, drawn_faces
from fer_keras.formats import FORMATS
from fer_keras.models.averaged import GraphMember
from fer_keras.preprocessing import crop_face, resize_matrices
from fer_keras.runs.averaging import mean_answers
from fer_keras.runs.bundle import Bundle
from fer_keras.runs.calibration import apply_temperature

TOLERANCE = FORMATS["keras"].tolerance


@dataclass(frozen=True)
class Judged:
    """What the comparison found.

    Attributes:
        parity: of the bundle: "assembly", on the same pixels, and where a member has another size "resizing", each member on
            faces of its own resizing; see `fer_keras.exporters.parity`. With them "data_spec" and "split" of the faces.
        reasons: why the model is to be refused; empty if it passed.
    """

    parity: dict
    reasons: tuple[str, ...]


def judge_ensemble(
    model,
    members: Sequence[GraphMember],
    bundle: Bundle,
    options: ExportOptions,
    *,
    say: Callable[[str], None] = lambda line: None,
) -> Judged:
    """Compare one model with the mean of its members on the same faces.

    Args:
        model: as `build_averaged` makes it of the members.
        members: in order.
        bundle: of the model; its configuration names the data.
        options: the data, the split and the number of faces, and the loss that is allowed.
        say: gets a line if the data cannot be read, so that drawn faces are compared, which have no labels.

    Raises:
        ValueError, FileNotFoundError: data that the options name cannot be read.
    """
    sizes = {bundle.image_size, *(member.image_size for member in members)}
    judging = _faces_by_size(bundle, sizes, options, say)
    whole = judging[bundle.image_size]
    found = keras_outputs(model, whole.faces)
    mean = _mean_of(members, [_resized(whole.faces, member.image_size) for member in members])
    parity = {"assembly": compare_outputs(mean, found, TOLERANCE)}
    reasons = reasons_to_refuse(parity["assembly"], TOLERANCE, options.max_drop)
    if len(sizes) > 1:
        mean = _mean_of(members, [judging[member.image_size].faces for member in members])
        parity["resizing"] = compare_outputs(mean, found)
        if whole.index is not None:
            parity["resizing"]["scores"] = score_loss(mean, found, whole, bundle.labels)
        reasons += reasons_to_refuse(parity["resizing"], None, options.max_drop)
    return Judged({**parity, "data_spec": whole.data_spec, "split": whole.split}, tuple(reasons))


def parity_lines(judged: Judged, members: Sequence[str]) -> list[str]:
    """Return what the comparison found, in lines for a terminal.

    Args:
        judged: from `judge_ensemble`.
        members: names of the models.
    """
    same, other = judged.parity["assembly"], judged.parity.get("resizing")
    faces = f"{same['faces']:,} {judged.parity['data_spec'] or ''} faces ({judged.parity['split']})".replace("  ", " ")
    lines = [
        f"one model of {', '.join(members)}, against the mean of their answers on {faces}:",
        f"  the same pixels: largest difference {_largest(same):.1e} (allowed {TOLERANCE:g})",
    ]
    if other is None:
        return lines
    lines.append(f"  each resizing for itself: largest difference {_largest(other):.2g}{_kept(other)}")
    for name, score in other.get("scores", {}).items():
        lines.append(
            f"    {name} {score['before']:.4f}, of the one model {score['after']:.4f} (n = {score['faces']:,})"
        )
    return lines


def _kept(parity: dict) -> str:
    share = parity.get("top_class_agreement")
    mean = max(entry["mean"] for entry in parity.values() if isinstance(entry, dict) and "mean" in entry)
    return f", mean {mean:.2g}" + ("" if share is None else f", top class kept {100 * share:.1f} %")


def _largest(parity: dict) -> float:
    return max(entry["largest"] for entry in parity.values() if isinstance(entry, dict) and "largest" in entry)


def _faces_by_size(bundle: Bundle, sizes: set, options: ExportOptions, say: Callable) -> dict[tuple, JudgingFaces]:
    """Return the same faces at every size, each cut from its picture; drawn ones where the data cannot be read."""
    try:
        return {size: _source(bundle, size, options).judging(options.split, options.samples) for size in sizes}
    except (ValueError, OSError) as error:
        if options.data_spec or options.data_dir:  # the user named it
            raise
        say(f"the models' data cannot be read ({error}); drawn faces are compared")
        drawn = drawn_faces(max(sizes), seed=options.seed)
        cut = {size: np.stack([crop_face(face, size) for face in drawn.faces]) for size in sizes}
        return {size: replace(drawn, faces=faces) for size, faces in cut.items()}


def _source(bundle: Bundle, size: tuple[int, int], options: ExportOptions) -> FaceSource:
    sized = replace(bundle, model=replace(bundle.model, image_size=size))
    return FaceSource(sized, options.data_spec, options.data_dir, options.seed)


def _resized(faces: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize faces (n, height, width, 3) by the package's geometry, without rounding to whole numbers."""
    rows, columns = resize_matrices(faces.shape[1:3], size)
    return np.einsum("ij,njkc,lk->nilc", rows, faces.astype(np.float32), columns, optimize=True)


def _mean_of(members: Sequence[GraphMember], faces: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the mean of the members' calibrated answers, each to its own faces."""
    found = []
    for member, own in zip(members, faces, strict=True):
        answers = keras_outputs(member.model, own)
        if "emotion" in answers:
            calibrated = apply_temperature(answers["emotion"], member.temperature)
            answers["emotion"] = calibrated[:, list(member.places)]
        found.append(answers)
    return mean_answers(found)
