"""The concordance formula: one definition for the metrics, their bootstrap, their streaming form and the loss.

It is plain arithmetic, so it takes floats, NumPy arrays and tensors of any Keras backend, and this module imports nothing.
"""


def concordance_terms(covariance, variance_true, variance_pred, mean_gap):
    """Return numerator and denominator of Lin's concordance correlation coefficient, of any equal shapes.

    CCC = 2 cov / (var_true + var_pred + (mean_true - mean_pred)^2). Constant input makes the denominator 0 or tiny; what
    counts as 0 depends on the arithmetic (float64, float32 sums, a differentiable loss), so callers divide.

    Args:
        covariance: of truth and prediction, population moment (ddof 0) as the variances.
        variance_true: of the truth.
        variance_pred: of the prediction.
        mean_gap: mean of the truth minus mean of the prediction.

    Source: Lin, A concordance correlation coefficient to evaluate reproducibility, Biometrics 1989.

    Example:
        >>> numerator, denominator = concordance_terms(0.5, 0.5, 0.75, 0.5)
        >>> numerator / denominator
        0.6666666666666666
    """
    return 2.0 * covariance, variance_true + variance_pred + mean_gap * mean_gap
