"""What the browser computes for *Better proposals* equals the core's numbers."""

import shutil

import numpy as np
import pytest
import torch
from node import under_node

from iwae_core.evaluation.studies import rare
from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling import psis, resampling

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


def log_weights():
    generator = make_generator(12)
    for K, k, shift in [(1000, 0.7, 0), (600, 0.1, -800), (226, 1.6, 900), (100, 0.4, 0)]:
        yield k * -torch.log(torch.rand(K, generator=generator, dtype=torch.float64)) + shift
    eps = standard_normal((300,), generator, torch.float64)
    yield -0.5 * eps**2  # bounded: a negative shape
    yield torch.zeros(100, dtype=torch.float64)  # no tail
    yield torch.arange(24, dtype=torch.float64)  # too few draws
    mixed = eps.clone()
    mixed[:40] = -800.0  # weights that are zero in effect
    yield mixed


def test_smoothed_weights_equal_the_core(tmp_path):
    sent = list(log_weights())
    found = under_node(tmp_path, [["smoothed", column.tolist()] for column in sent], "tails")
    changed = 0
    for column, answer in zip(sent, found, strict=True):
        expected = psis.smooth(column)[0].numpy()
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-9)
        changed += bool(np.abs(expected - column.numpy()).max() > 1e-3)
    assert changed == 6  # the two without a tail come back as they are


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_copies_are_those_of_systematic_resampling(tmp_path, seed):
    offset = torch.rand((1,), generator=make_generator(seed), dtype=torch.float64).item()
    sent = list(log_weights())
    found = under_node(tmp_path, [["copies", column.tolist(), offset] for column in sent], "tails")
    for column, answer in zip(sent, found, strict=True):
        chosen = resampling.systematic(column, len(column), make_generator(seed))
        np.testing.assert_array_equal(answer, np.bincount(chosen, minlength=len(column)))


def test_the_normal_tail_equals_torch_to_twelve_digits(tmp_path):
    x = torch.cat([torch.linspace(-9, 18.5, 331), torch.tensor([0.0, 2.4999, 2.5])]).double()
    found = under_node(tmp_path, [["logNormalTail", value] for value in x.tolist()], "tails")
    expected = torch.special.log_ndtr(-x).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("threshold", [0.0, 1.3, 4.0, 8.0])
def test_the_rare_events_deviation_equals_the_study(tmp_path, threshold):
    shifts = np.linspace(0, 10, 21)
    found = under_node(
        tmp_path, [["rareDeviation", threshold, m] for m in shifts.tolist()], "tails"
    )
    np.testing.assert_allclose(found, rare.relative(threshold, shifts), rtol=1e-9)
