"""Temperature calibration: one number, fitted on the validation split, that makes confidences as large as accuracies.

Source: Guo et al., On calibration of modern neural networks, ICML 2017.
"""

from pathlib import Path

import numpy as np

from fer_keras.metrics.reference import expected_calibration_error
from fer_keras.runs.bundle import Bundle
from fer_keras.runs.bundle_parts import Calibration
from fer_keras.runs.run_directory import EVALUATIONS_DIR, PREDICTIONS_FILE

#: Probabilities below this, the smallest normal float32, count as this much.
_SMALLEST = np.finfo(np.float32).tiny
_COOLEST, _HOTTEST = 0.05, 20.0


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities at a temperature: p_c^(1/T) / sum of them; the order of the classes stays.

    Args:
        probabilities: (n, classes), each row a distribution.
        temperature: above 1 flattens, below 1 sharpens, 1 changes nothing but rounding.

    Returns:
        (n, classes) float32.

    Example:
        >>> apply_temperature(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
        [[0.6669999957084656, 0.3330000042915344]]
    """
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), _SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def calibrated(bundle: Bundle, probabilities: np.ndarray) -> np.ndarray:
    """Return a model's probabilities at the temperature of its bundle; at 1, only summed to one, where it has none."""
    return apply_temperature(probabilities, bundle.calibration.temperature if bundle.calibration else 1.0)


def negative_log_likelihood(y_true: np.ndarray, probabilities: np.ndarray, temperature: float = 1.0) -> float:
    """Return the mean of -log p of the true class at a temperature.

    Args:
        y_true: (n,) codes of the classes.
        probabilities: (n, classes), each row a distribution.
        temperature: see `apply_temperature`.
    """
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), _SMALLEST)) / temperature
    largest = logits.max(axis=1)
    total = largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1))
    return float(np.mean(total - logits[np.arange(len(logits)), y_true]))


def fit_temperature(y_true: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the temperature with the least negative log-likelihood, between 0.05 and 20.

    The likelihood is convex in 1/T, so it has one minimum and a golden-section search over log T finds it.

    Args:
        y_true: (n,) codes of the classes.
        probabilities: (n, classes), each row a distribution.

    Raises:
        ValueError: no faces.
    """
    if not len(y_true):
        raise ValueError("Calibration expects labelled faces. Received: none.")
    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(_COOLEST), np.log(_HOTTEST)
    while high - low > 1e-5:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if negative_log_likelihood(y_true, probabilities, np.exp(left)) < negative_log_likelihood(
            y_true, probabilities, np.exp(right)
        ):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def measure_calibration(y_true: np.ndarray, probabilities: np.ndarray) -> Calibration:
    """Fit the temperature and measure what it changes on the validation faces that it was fitted on.

    Args:
        y_true: (n,) codes of the classes.
        probabilities: (n, classes), each row a distribution.

    Raises:
        ValueError: no faces.
    """
    temperature = fit_temperature(y_true, probabilities)
    after = apply_temperature(probabilities, temperature)
    return Calibration(
        temperature,
        split="validation",
        faces=len(y_true),
        nll_before=negative_log_likelihood(y_true, probabilities),
        nll_after=negative_log_likelihood(y_true, probabilities, temperature),
        ece_before=expected_calibration_error(y_true, probabilities),
        ece_after=expected_calibration_error(y_true, after),
    )


def calibrate(bundle: Bundle) -> Calibration:
    """Fit the temperature on the bundle's own predictions of its validation split and put it into the bundle.

    The bundle changes in memory; `bundle.save()` writes it.

    Args:
        bundle: of a run directory, whose `predictions.parquet` (or that of an evaluation of the validation split of the
            training data) is read.

    Returns:
        The calibration, which is the bundle's now.

    Raises:
        ValueError: a model without emotions, no predictions of its validation split, or no labelled face among them.
    """
    if "emotion" not in bundle.outputs:
        raise ValueError(f"{bundle.directory} has no emotion output, so there is no confidence to calibrate.")
    bundle.calibration = measure_calibration(*_validation_answers(bundle))
    return bundle.calibration


def _validation_answers(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """Return codes (n,) and probabilities (n, classes) of the labelled faces of the validation split."""
    evaluation = bundle.directory / EVALUATIONS_DIR / f"{bundle.data.spec}-validation"
    again = f"python -m fer_keras.evaluate --model {_quoted(bundle.directory)} --split validation"
    for path in (bundle.directory / PREDICTIONS_FILE, evaluation / PREDICTIONS_FILE):
        if path.is_file():
            try:
                found = _read_answers(path, bundle.labels)
            except Exception as error:  # a damaged Parquet file makes its reader raise many kinds
                reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
                raise ValueError(f"Unreadable predictions {path}: {reason}. Make them again: {again}") from error
            if found is not None:
                return found
    raise ValueError(f"No predictions of the validation split in {bundle.directory}. Make them: {again}")


def _read_answers(path: Path, labels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what a predictions table says of its labelled faces, or None if it is of another split or has no emotions."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    if "emotion_true" not in table.column_names or set(table["split"].unique().to_pylist()) != {"validation"}:
        return None
    codes = {name: code for code, name in enumerate(labels)}
    names = table["emotion_true"].to_pylist()
    known = np.array([name is not None for name in names], bool)
    y_true = np.array([codes[name] for name in names if name is not None], np.int64)
    probabilities = np.stack([table[f"probability_{name}"].to_numpy() for name in labels], axis=1)[known]
    if probabilities.dtype.kind != "f" or not ((probabilities >= 0) & (probabilities < 1.001)).all():
        raise ValueError("probabilities that are no numbers from 0 to 1")
    return y_true, probabilities


def _quoted(path: Path) -> str:
    return f"'{path}'" if " " in str(path) else str(path)
