"""The one concordance formula: by hand, and the same for floats, arrays and tensors; its four users agree."""

import numpy as np
import pytest
from keras import ops

from fer_keras.concordance import concordance_terms
from fer_keras.losses import AxisCCC
from fer_keras.metrics.axis_reference import ccc
from fer_keras.metrics.intervals import bootstrap_axis_metrics
from fer_keras.metrics.streaming import CCC


def test_by_hand():
    # truth 0, 1, 2 and prediction 1, 1, 3: means 1 and 5/3, variances 2/3 and 8/9, covariance 2/3
    numerator, denominator = concordance_terms(2 / 3, 2 / 3, 8 / 9, 1 - 5 / 3)
    assert (numerator, denominator) == pytest.approx((4 / 3, 2))
    assert ccc([0, 1, 2], [1, 1, 3], clip=False) == pytest.approx(2 / 3)


def test_arrays_and_tensors_give_what_floats_give():
    moments = np.random.default_rng(0).uniform(-1, 1, (4, 5))
    of_arrays = concordance_terms(*moments)
    of_tensors = concordance_terms(*(ops.convert_to_tensor(row, "float32") for row in moments))
    for place, (array, tensor) in enumerate(zip(of_arrays, of_tensors, strict=True)):
        np.testing.assert_allclose(ops.convert_to_numpy(tensor), array, rtol=1e-5)
        assert array.tolist() == [concordance_terms(*column)[place] for column in moments.T]


@pytest.mark.parametrize("seed", range(5))
def test_reference_bootstrap_stream_and_loss_agree(seed):
    """On the rows of one resample; a loss in float32 with its 1e-7 in the denominator."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-1, 1, 50)
    predicted = np.clip(0.5 * truth + rng.normal(0.1, 0.3, 50), -1, 1)
    drawn = np.random.default_rng(seed).integers(0, 50, (1, 50))[0]
    rows = truth[drawn], predicted[drawn]
    expected = ccc(*rows)
    assert bootstrap_axis_metrics(truth, predicted, resamples=1, seed=seed)["ccc"][0] == pytest.approx(
        expected, abs=1e-9
    )
    assert float(CCC()(*rows)) == pytest.approx(expected, abs=1e-6)
    assert 1 - float(AxisCCC()(rows[0][:, None], rows[1][:, None])) == pytest.approx(expected, abs=1e-5)
