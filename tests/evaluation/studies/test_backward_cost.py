"""Partial backward passes against brute force over every sample's own gradient."""

import math

import numpy as np
import pytest
import torch

from iwae_core.evaluation.studies import backward_cost
from iwae_core.evaluation.studies.backward_cost import (
    EPSILONS,
    PICKS,
    SCENES,
    BackwardCostConfig,
    _gradient,
    _truncated,
    measure_ms,
    run,
    small_net,
)
from iwae_core.evaluation.studies.contributions import ContributionsConfig
from iwae_core.evaluation.studies.contributions import run as contribute
from iwae_core.evaluation.studies.gradient_oracle import Point, draws
from iwae_core.rng import make_generator, standard_normal, stream


@pytest.mark.parametrize("epsilon", [0.0, 0.05, 0.4])
def test_truncation_keeps_the_heaviest_samples_of_brute_force(epsilon):
    found = contribute(ContributionsConfig(n_samples=30, seed=3))
    order = np.argsort(-found.weight)
    before = np.cumsum(found.weight[order]) - found.weight[order]
    kept = order[before < 1 - epsilon]
    brute = (found.weight[kept, None] * found.gradient[kept]).sum(axis=0)
    eps = standard_normal((64, 2), stream(3, "samples"), torch.float64)[:30].unsqueeze(1)
    with torch.no_grad():
        log_w = draws(Point(1.0, 1.3), eps)[0].log_w()
    gradient, touched = _gradient(
        Point(1.0, 1.3), eps, log_w, lambda drawn: _truncated(drawn, epsilon=epsilon)
    )
    np.testing.assert_allclose(gradient[0], brute, rtol=1e-9)
    np.testing.assert_allclose(log_w[:, 0], found.log_w)
    assert touched == pytest.approx(len(kept) / 30)


@pytest.mark.parametrize("scene", SCENES)
def test_resampling_has_no_bias_and_truncation_a_growing_one(scene):
    report = run(BackwardCostConfig(**dict(SCENES[scene].settings)))
    exact, *others = report.modes
    assert exact.touched == 1.0
    np.testing.assert_allclose(exact.std, report.std, rtol=0.2)
    truncated, resampled = others[: len(EPSILONS)], others[len(EPSILONS) :]
    assert [mode.setting for mode in truncated] == list(EPSILONS)
    assert [mode.setting for mode in resampled] == list(PICKS)
    for mode in resampled:
        # |z| > 5 in one of 36 numbers by chance: 2e-5
        assert (np.abs(mode.bias) < 5 * mode.bias_error).all()
        assert mode.touched <= mode.setting / 50 + 1e-12
    assert (np.diff([mode.touched for mode in truncated]) < 0).all()
    assert (np.diff([mode.added.max() for mode in truncated]) > 0).all()
    assert (np.diff([mode.added.max() for mode in resampled]) < 0).all()
    assert report.sorted_weight.sum() == pytest.approx(1.0)
    assert (np.diff(report.sorted_weight) <= 0).all()


def test_many_samples_are_repeated_less_often_with_errors_that_know():
    few, many = (run(BackwardCostConfig(n_samples=K)) for K in (10, 200))
    assert (few.n_repeats, many.n_repeats) == (800, 240)
    mode = many.modes[-1]
    np.testing.assert_allclose(
        mode.bias_error, mode.added * many.modes[0].std / 240**0.5, rtol=0.05
    )


def test_the_scenes_say_what_is_so():
    found = {n: run(BackwardCostConfig(**dict(s.settings))) for n, s in SCENES.items()}
    one_percent = {n: report.modes[1 + EPSILONS.index(1e-2)] for n, report in found.items()}
    assert 0.4 < one_percent["shifted"].touched < 0.6
    assert 0.05 < one_percent["shifted"].added[0] < 0.15
    bias = one_percent["shifted"].bias[0]
    assert 0.7 < bias / abs(found["shifted"].mean[0]) < 1.3
    assert bias > 5 * one_percent["shifted"].bias_error[0]
    assert 0.7 < one_percent["good"].touched < 0.85
    assert 4 < 50 * one_percent["poor"].touched < 6
    four = found["poor"].modes[1 + len(EPSILONS) + PICKS.index(4)]
    assert (four.std / found["poor"].modes[0].std < 1.1).all()


def test_a_small_net_is_timed_in_all_modes():
    model, x = small_net(0)
    found = measure_ms(model, x, 5, make_generator(1), n_rounds=1)
    assert set(found) == {"exact", "truncated", "resampled"}
    assert all(0 < ms < math.inf for ms in found.values())
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(ValueError, match="n_samples must be at least 1, got 0"):
        measure_ms(model, x, 0, make_generator(1))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"n_samples must lie in 2\.\.200, got 1"):
        BackwardCostConfig(n_samples=1)
    with pytest.raises(ValueError, match="scale must lie in"):
        BackwardCostConfig(scale=0.0)
    assert backward_cost.N_REPEATS >= 500
