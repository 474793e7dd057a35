"""Particles of a drawn digit against quadrature, other code paths and what a string can hold."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iwae_core import datasets
from iwae_core.evaluation.posterior import Grid, exact_posterior
from iwae_core.evaluation.studies import drawing, xray
from iwae_core.evaluation.studies.xray import XrayConfig
from iwae_core.evaluation.studies.xray_scenes import (
    BLANK,
    CLEAN_THREE,
    CROSS,
    NETWORKS,
    SCENES,
    STARTS,
    UNUSUAL_THREE,
)
from iwae_core.rng import stream
from iwae_core.ui.xray import evidence_of_digits, network


def weights_by_hand(name, config):
    """Log weights from the network's own matrices, in NumPy."""
    state = {key: value.numpy() for key, value in network(name).state_dict().items()}
    x = drawing.pixels(config.drawing)[0].numpy()
    h = x
    for i in range(2):
        h = np.tanh(
            state[f"encoder.0.layers.{i}.weight"] @ h + state[f"encoder.0.layers.{i}.bias"]
        )
    out = state["encoder.1.layer.weight"] @ h + state["encoder.1.layer.bias"]
    loc = out[:2] + np.array([config.shift_1, config.shift_2])
    scale = np.exp(out[2:]) * config.squeeze
    eps = xray.noise(config.seed)[: config.n_samples].numpy()
    z = loc + scale * eps
    h = z
    for i in range(2):
        h = np.tanh(h @ state[f"decoder.layers.{i}.weight"].T + state[f"decoder.layers.{i}.bias"])
    black = 1 / (
        1 + np.exp(-h @ state["likelihood.logits.weight"].T - state["likelihood.logits.bias"])
    )
    likelihood = np.log(np.where(x == 1, black, 1 - black)).sum(axis=1)

    def normal(z, m, s):
        return (-0.5 * ((z - m) / s) ** 2 - np.log(s) - 0.5 * np.log(2 * np.pi)).sum(1)

    return z, likelihood + normal(z, 0, np.ones(2)) - normal(z, loc, scale)


@pytest.mark.parametrize("name", NETWORKS)
def test_particles_and_weights_equal_the_networks_matrices(name):
    config = XrayConfig(
        network=name, drawing=CROSS, squeeze=1.7, shift_1=0.4, shift_2=-1.1, n_samples=37, seed=5
    )
    report = xray.run(network(name), config)
    z, log_w = weights_by_hand(name, config)
    np.testing.assert_allclose(report.z, z, atol=1e-12)
    np.testing.assert_allclose(report.log_w, log_w, atol=1e-9)
    w = np.exp(log_w - log_w.max())
    w /= w.sum()
    assert report.ess == pytest.approx(1 / (w**2).sum(), rel=1e-9)
    assert report.max_weight == pytest.approx(w.max(), rel=1e-9)
    assert report.elbo == pytest.approx(log_w.mean())
    assert report.bound == pytest.approx(np.log(np.exp(log_w - log_w.max()).mean()) + log_w.max())


@pytest.mark.parametrize("scene", SCENES)
def test_the_evidence_does_not_depend_on_the_grid_and_no_average_passes_it(scene):
    config = XrayConfig(**dict(SCENES[scene].settings))
    model = network(config.network)
    report = xray.run(model, config)
    grid = Grid(low=(-9.0, -9.0), high=(9.0, 9.0), n=700)
    by_hand = exact_posterior(model, drawing.pixels(config.drawing), grid).log_normalizer
    assert report.log_marginal == pytest.approx(by_hand, abs=5e-4)
    assert report.log_marginal_error < 1e-3
    # The mean of n draws of the bound: z > 5 by chance 3e-7 of the time (one side).
    error = report.others.std(ddof=1) / math.sqrt(len(report.others))
    assert report.others.mean() < report.log_marginal + 5 * error


def test_the_mean_weight_is_unbiased_for_the_evidence():
    # ELBO's network, q doubled: its weights are bounded, k-hat below zero; |z| > 5 by chance 6e-7.
    config = XrayConfig(network="elbo", squeeze=2.0, n_samples=50)
    report = xray.run(network("elbo"), config)
    ratio = np.exp(report.others - report.log_marginal)
    error = ratio.std(ddof=1) / math.sqrt(len(ratio))
    assert error < 0.02  # so a bias of a tenth would be seen
    assert abs(ratio.mean() - 1) < 5 * error


def test_more_particles_keep_the_earlier_ones():
    few, many = (
        xray.run(network("iwae"), XrayConfig(n_samples=n, squeeze=0.6)) for n in (10, 1000)
    )
    np.testing.assert_array_equal(few.log_w, many.log_w[:10])
    assert len(many.others) == xray.MAX_REPEATED // 1000
    assert len(few.others) == xray.N_REPEATS


def test_the_list_of_test_digits_is_that_of_the_networks_that_ship():
    for name, known in evidence_of_digits().items():
        assert len(known) == len(datasets.load("digits").test)
        found = xray.evidence_of_test_digits(network(name), 3)
        assert np.diff(known).min() >= 0
        for value in found:
            assert np.abs(known - value).min() < 1e-4


def test_the_drawings_to_start_from_are_test_digits():
    data = datasets.load("digits")
    assert drawing.encode(data.test[STARTS[3]]) == CLEAN_THREE
    assert drawing.encode(data.test[38]) == UNUSUAL_THREE
    for label, index in STARTS.items():
        assert data.test_labels[index] == label
    np.testing.assert_array_equal(drawing.decode(CROSS).reshape(8, 8), np.eye(8) + np.eye(8)[::-1])


@given(st.lists(st.integers(0, 16), min_size=64, max_size=64))
def test_a_drawing_survives_its_string_and_its_pixels_obey_the_ink(levels):
    ink = torch.tensor(levels, dtype=torch.float64) / 16
    code = drawing.encode(ink)
    torch.testing.assert_close(drawing.decode(code), ink, rtol=0, atol=0)
    seen = drawing.pixels(code)[0]
    assert set(seen.tolist()) <= {0.0, 1.0}
    assert (seen[ink == 1] == 1).all()
    assert (seen[ink == 0] == 0).all()


def test_a_sheet_of_dots_is_counted_in_blocks():
    dots = torch.rand(32, 32, generator=stream(1, "dots")) < 0.4
    code = drawing.encode_dots(dots)
    assert len(code) == drawing.N_LETTERS
    ink = drawing.decode(code).reshape(8, 8)
    for row, column in np.ndindex(8, 8):
        block = dots[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert ink[row, column] == block.sum() / 16
    with pytest.raises(ValueError, match="32x32"):
        drawing.encode_dots(dots[:8])


@pytest.mark.parametrize(
    "code", ["", "A" * 63, "A" * 65, "R" + 63 * "A", "a" * 64, "A" * 170, "!" * 171, "é" * 171]
)
def test_a_broken_string_is_refused(code):
    with pytest.raises(ValueError, match="drawing"):
        drawing.decode(code)


@pytest.mark.parametrize(
    "wrong",
    [
        {"network": "gan"},
        {"drawing": "A"},
        {"squeeze": 0.1},
        {"squeeze": math.nan},
        {"shift_2": 4.0},
        {"n_samples": 0},
        {"n_samples": 1001},
    ],
)
def test_a_config_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
        XrayConfig(**wrong)


def test_a_blank_sheet_is_white():
    assert drawing.pixels(BLANK).sum() == 0
