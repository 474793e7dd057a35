"""Numbers from repeats: their errors against the spread of many such numbers."""

import numpy as np
import pytest

from iwae_core.evaluation.studies import repeats


def test_errors_are_the_spread_of_many_repeats_of_the_repeats():
    # 4000 values of each statistic: their spread is known to 1.1 %, 5 sigma is 6 %; the delta
    # method's own error is of order 1 / n = 0.5 %.
    x = np.random.default_rng(0).gamma(3.0, size=(4000, 200)) - 1.0
    for statistic, truth in (
        (repeats.mean, 2.0),
        (repeats.root_mean_square, np.sqrt(7.0)),
        (lambda row: repeats.share(row > 2), 0.42319),  # P(Gamma(3) > 3) = 8.5 exp(-3)
    ):
        found = np.array([statistic(row) for row in x])
        spread = found[:, 0].std()
        assert found[:, 1].mean() == pytest.approx(spread, rel=0.07)
        assert found[:, 0].mean() == pytest.approx(truth, abs=0.02 * spread + 0.01)


def test_the_ends_are_not_certain_and_no_error_has_none():
    assert repeats.share(np.ones(40, dtype=bool)).std_error > 0.02
    assert repeats.share_error(0.0, 40) == pytest.approx(repeats.share_error(1.0, 40))
    assert repeats.root_mean_square(np.zeros(3)) == (0.0, 0.0)
    assert repeats.root_mean_square(np.array([1e-200, -1e-200])).value == pytest.approx(1e-200)
