"""Runs with a backward pass through few samples: still values, and still training."""

import numpy as np
import pytest
import torch

from iwae_core.bounds.objectives import iwae
from iwae_core.datasets import binarize, load
from iwae_core.rng import stream
from iwae_core.training import TrainConfig, advance, begin, model_of

SMALL = {
    "hidden": (12,),
    "latent_dim": 3,
    "batch_size": 40,
    "n_samples": 20,
    "seed": 3,
    "learning_rate": 4e-3,
}


@pytest.mark.parametrize("backward", ["truncated", "resampled"])
def test_slices_still_give_the_same_bits(backward):
    start = begin(TrainConfig(backward=backward, **SMALL))
    at_once = advance(start, 30).state
    cut = start
    for _ in range(3):
        cut = advance(cut, 10).state
    assert np.array_equal(at_once.parameters, cut.parameters)
    exact = advance(begin(TrainConfig(**SMALL)), 30).state
    assert not np.array_equal(at_once.parameters, exact.parameters)


def test_keeping_all_the_weight_trains_as_the_exact_backward_does():
    all_kept = TrainConfig(backward="truncated", backward_epsilon=0.0, **SMALL)
    theirs = advance(begin(all_kept), 10).records.objective
    exact = advance(begin(TrainConfig(**SMALL)), 10).records.objective
    np.testing.assert_allclose(theirs, exact, atol=2e-3)


@pytest.mark.parametrize("backward", ["truncated", "resampled"])
def test_the_model_trained_is_as_good_as_with_the_exact_backward(backward):
    x = binarize(load("digits").test, stream(0, "test"))

    def held_out(config):
        model = model_of(advance(begin(config), 300).state)
        with torch.no_grad():
            return iwae(model.log_weights(x, 50, stream(1, "noise"))).mean().item()

    exact = held_out(TrainConfig(**SMALL))
    few = TrainConfig(backward=backward, backward_picks=8, **SMALL)
    assert held_out(few) == pytest.approx(exact, abs=0.25)


def test_the_closed_form_kl_has_no_weights_to_choose_by():
    with pytest.raises(ValueError, match="goes with backward exact only, got 'resampled'"):
        TrainConfig(objective="elbo", estimator="closed_form_kl", backward="resampled")
