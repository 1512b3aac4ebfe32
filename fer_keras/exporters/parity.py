"""How far an export's outputs are from Keras's: differences, agreement of the top class, accuracy lost to quantisation."""

import time

import numpy as np

from fer_keras.exporters.source import JudgingFaces
from fer_keras.labels import AXES
from fer_keras.runtimes.runtime import load_runtime

_BATCH = 32


def keras_outputs(model, faces: np.ndarray) -> dict[str, np.ndarray]:
    """Return a Keras model's outputs, which every export is compared with.

    Args:
        model: Keras model.
        faces: (n, height, width, 3) uint8 RGB.

    Returns:
        emotion (n, classes), valence and arousal (n, 1), float32; those that the model has.
    """
    chunks = [faces[start : start + _BATCH].astype(np.float32) for start in range(0, len(faces), _BATCH)]
    found = [model.predict_on_batch(chunk) for chunk in chunks]
    return {name: np.concatenate([np.asarray(part[name]) for part in found]) for name in found[0]}


def export_outputs(path, engine: str, faces: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
    """Return an export's outputs as its own engine computes them.

    Returns:
        The outputs, see `keras_outputs`; and milliseconds per face in batches of 32, without loading.

    Raises:
        ValueError: the file cannot be run.
    """
    runtime = load_runtime(path, engine)
    runtime.run(faces[:_BATCH])  # the first call prepares
    started = time.perf_counter()
    found = [runtime.run(faces[start : start + _BATCH]) for start in range(0, len(faces), _BATCH)]
    milliseconds = 1000 * (time.perf_counter() - started) / len(faces)
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}, milliseconds


def compare_outputs(expected: dict[str, np.ndarray], found: dict[str, np.ndarray], tolerance: float = 0.0) -> dict:
    """Compare an export's outputs with Keras's on the same faces.

    Args:
        expected: Keras's, from `keras_outputs`.
        found: the export's.
        tolerance: difference that the format allows. Where Keras's two largest probabilities differ by at most twice that,
            either class is right, and another top class counts as a tie.

    Returns:
        faces: n. For each output {"largest", "mean"}: absolute differences. With an emotion output also
        top_class_agreement: share of faces with the same top class; top_class_changed: number of faces with another top
        class, without ties.

    Raises:
        ValueError: outputs with other names or shapes, or values that are not finite.
    """
    if set(expected) != set(found):
        raise ValueError(f"Expected outputs {', '.join(sorted(expected))}. Received: {', '.join(sorted(found))}.")
    result: dict = {"faces": len(next(iter(expected.values())))}
    for name, values in expected.items():
        if values.shape != found[name].shape or not np.isfinite(found[name]).all():
            raise ValueError(
                f"Output {name}: expected finite numbers of shape {values.shape}. Received: shape {found[name].shape}, "
                f"{int((~np.isfinite(found[name])).sum())} not finite."
            )
        difference = np.abs(values.astype(np.float64) - found[name])
        result[name] = {"largest": float(difference.max()), "mean": float(difference.mean())}
    if "emotion" in expected:
        same = expected["emotion"].argmax(1) == found["emotion"].argmax(1)
        best = np.sort(expected["emotion"], axis=1)
        tied = best[:, -1] - best[:, -2] <= 2 * tolerance
        result["top_class_agreement"] = float(same.mean())
        result["top_class_changed"] = int((~same & ~tied).sum())
    return result


def score_loss(
    expected: dict[str, np.ndarray], found: dict[str, np.ndarray], judging: JudgingFaces, labels: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Measure how much accuracy and CCC an export loses on labelled faces.

    Args:
        expected, found: as for `compare_outputs`.
        judging: the faces, with their index.
        labels: names of the model's classes, in order.

    Returns:
        accuracy, valence_ccc, arousal_ccc, as far as the faces are labelled: {"before", "after", "drop", "faces"}.
    """
    before, after = (_scores(outputs, judging.index, labels) for outputs in (expected, found))
    return {
        name: {"before": value, "after": after[name][0], "drop": value - after[name][0], "faces": count}
        for name, (value, count) in before.items()
    }


def _scores(outputs: dict[str, np.ndarray], index, labels: tuple[str, ...]) -> dict[str, tuple[float, int]]:
    """Return accuracy and CCC, each with its number of labelled faces."""
    from fer_keras.evaluation.evaluator import predictions_table
    from fer_keras.metrics.scores import score_predictions

    flat = {name: values if name == "emotion" else np.clip(values[:, 0], -1, 1) for name, values in outputs.items()}
    scores = score_predictions(predictions_table(index, flat, labels, {}), bootstrap=0)
    found = (
        {"accuracy": (scores["emotion"]["accuracy"]["value"], scores["emotion"]["n"])} if "emotion" in scores else {}
    )
    found |= {f"{axis}_ccc": (scores[axis]["ccc"]["value"], scores[axis]["n"]) for axis in AXES if axis in scores}
    return found


def reasons_to_refuse(parity: dict, tolerance: float | None, max_drop: float) -> list[str]:
    """Return why an export is refused, with figures; an empty list if it passed.

    Args:
        parity: from `compare_outputs`, for a quantised format with `scores` from `score_loss`.
        tolerance: of a float format; None for a quantised one.
        max_drop: largest loss of accuracy or CCC allowed to a quantised format.

    Example:
        >>> reasons_to_refuse({"faces": 9, "valence": {"largest": 0.5, "mean": 0.1}}, 1e-4, 0.01)
        ['valence differs by up to 0.5 (allowed 0.0001)']
    """
    if tolerance is None:
        scores = parity.get("scores")
        if not scores:
            return ["its accuracy could not be measured: no labelled faces"]
        return [
            f"{name} falls by {100 * score['drop']:.2f} points, {score['before']:.4f} to {score['after']:.4f} on "
            f"{score['faces']} faces (allowed {100 * max_drop:g})"
            for name, score in scores.items()
            if score["drop"] > max_drop + 1e-9
        ]
    reasons = [
        f"{name} differs by up to {entry['largest']:.2g} (allowed {tolerance:g})"
        for name, entry in parity.items()
        if isinstance(entry, dict) and "largest" in entry and not entry["largest"] <= tolerance
    ]
    if parity.get("top_class_changed"):
        reasons.append(f"another top class on {parity['top_class_changed']} of {parity['faces']} faces")
    return reasons
