"""The board put together: means, errors, differences, against brute force and by simulation."""

import math

import numpy as np
import pytest

from iwae_core.evaluation.studies import saved
from iwae_core.evaluation.studies.ruler_board import (
    BoardReport,
    below_truth,
    combine,
    difference,
    parts,
)
from iwae_core.evaluation.studies.rulers import RowReport

K = (1, 5)
RULERS = ("1", "64", "exact")


def rows_of(values):
    """Rows from an array (R, S, C, n)."""
    return [
        RowReport(n_samples=K[r], seed=s, values=values[r, s])
        for s in range(values.shape[1])
        for r in range(values.shape[0])
    ]


@pytest.fixture
def values():
    draws = np.random.default_rng(0)
    R, S, C, n = 2, 3, 3, 40
    data, seeds = draws.normal(size=(1, 1, 1, n)), draws.normal(size=(R, S, 1, 1))
    return -5 + data + 0.3 * seeds + 0.2 * draws.normal(size=(R, S, C, n))


@pytest.fixture
def truth():
    return np.random.default_rng(1).normal(-4, 1, size=40)


def error_of(per_seed_and_point):
    """The definition, from values (S, n)."""
    S, n = per_seed_and_point.shape
    over_seeds = per_seed_and_point.mean(axis=1).var(ddof=1) / S
    return math.sqrt(over_seeds + per_seed_and_point.mean(axis=0).var(ddof=1) / n)


def test_means_and_errors_are_those_of_the_definition(values, truth):
    report = combine(rows_of(values), K, RULERS, truth, made_by="a test")
    np.testing.assert_allclose(report.mean, values.mean(axis=(1, 3)), rtol=1e-12)
    for r in range(2):
        for c in range(3):
            assert report.std_error[r, c] == pytest.approx(error_of(values[r, :, c]), rel=1e-9)
    gap, error = below_truth(report)
    np.testing.assert_allclose(gap, truth.mean() - values.mean(axis=(1, 3)), rtol=1e-9)
    assert error[1, 2] == pytest.approx(error_of(truth - values[1, :, 2]), rel=1e-9)
    assert report.n_seeds.tolist() == [3, 3]
    assert report.n_held_out == 40
    assert report.knows_truth


def test_a_difference_is_taken_pair_by_pair_and_is_better_known_than_its_cells(values, truth):
    report = combine(rows_of(values), K, RULERS, truth, made_by="a test")
    apart = difference(report, (0, 1), (0, 2))
    paired = values[0, :, 2] - values[0, :, 1]
    assert apart.value == pytest.approx(paired.mean(), rel=1e-9)
    assert apart.std_error == pytest.approx(error_of(paired), rel=1e-9)
    assert apart.std_error < 0.5 * report.std_error[0, 1]
    assert (apart.same_model, apart.same_ruler) == (True, False)
    nothing = difference(report, (1, 1), (1, 1))
    assert (nothing.value, nothing.std_error, nothing.seen) == (0.0, 0.0, False)


def test_the_parts_of_a_mixed_difference_add_up(values, truth):
    report = combine(rows_of(values), K, RULERS, truth, made_by="a test")
    model, ruler = parts(report, (0, 0), (1, 2))
    whole = difference(report, (0, 0), (1, 2))
    assert model.value + ruler.value == pytest.approx(whole.value, abs=1e-12)
    assert (model.same_ruler, model.same_model) == (True, False)
    assert (ruler.same_ruler, ruler.same_model) == (False, True)
    assert not whole.same_ruler
    assert not whole.same_model


def test_a_board_fills_row_by_row(values):
    empty = combine([], K, RULERS, None, made_by="a test")
    assert np.isnan(empty.mean).all()
    assert not empty.knows_truth
    one = combine(rows_of(values)[:1], K, RULERS, None, made_by="a test")
    np.testing.assert_allclose(one.mean[0], values[0, 0].mean(axis=1))
    assert np.isnan(one.mean[1]).all()
    assert np.isnan(one.std_error).all()  # one seed tells no spread
    assert one.n_seeds.tolist() == [1, 0]
    assert np.isnan(difference(one, (0, 0), (1, 0)).value)


def test_a_board_survives_json_to_the_bit(values, truth):
    report = combine(rows_of(values)[:3], K, RULERS, truth, made_by="a test")
    again = saved.from_json(BoardReport, saved.to_json(report))
    np.testing.assert_array_equal(again.covariance, report.covariance)
    np.testing.assert_array_equal(again.by_seed, report.by_seed)
    assert again.rulers == RULERS


def test_the_error_of_a_cell_covers_both_chances():
    # 1,500 boards of one cell, 4 seeds and 60 datapoints, with chances of known size; both are
    # estimated, so the mean squared error should be the mean squared standard error, or up to the
    # rounding between the two (0.5^2 / 240 of 0.087, 1 %) below it. Its relative standard error
    # over 1,500 boards is sqrt(2 / 1500) = 4 %: a ratio outside 0.8 .. 1.2 has chance 1e-6, and
    # leaving out either chance gives a ratio above 1.2 (1.24 without the data's share).
    draws = np.random.default_rng(2)
    S, n = 4, 60
    found, stated = [], []
    for _ in range(1500):
        seeds, data = draws.normal(0, 0.5, (S, 1)), draws.normal(0, 1, (1, n))
        cell = seeds + data + draws.normal(0, 0.5, (S, n))
        row = [RowReport(n_samples=1, seed=s, values=cell[s : s + 1]) for s in range(S)]
        report = combine(row, (1,), ("1",), None, made_by="a test")
        found.append(report.mean[0, 0] ** 2)
        stated.append(report.std_error[0, 0] ** 2)
    assert 0.8 < np.mean(found) / np.mean(stated) < 1.2


def test_rows_that_do_not_belong_are_refused(values):
    rows = rows_of(values)
    with pytest.raises(ValueError, match=r"4 rulers.*\(3, 40\)"):
        combine(rows, K, ("1",) * 4, None, made_by="a test")
    with pytest.raises(ValueError, match=r"K must be one of \(1,\), got \[5\]"):
        combine(rows, (1,), RULERS, None, made_by="a test")
