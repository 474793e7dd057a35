"""Steps replayed from a CUDA graph are the plain steps; elsewhere the wish is refused."""

import dataclasses

import numpy as np
import pytest
import torch

from iwae_core.training import TrainConfig, advance, begin, burda_config

SMALL = TrainConfig(hidden=(20,), latent_dim=3, n_samples=4, batch_size=20)


def test_a_run_on_the_cpu_is_not_captured():
    with pytest.raises(ValueError, match="device must be 'cuda' to capture a graph, got 'cpu'"):
        advance(begin(SMALL), 1, capture=True)


def test_a_run_whose_steps_differ_is_not_captured():
    config = dataclasses.replace(SMALL, backward="truncated", kl_schedule="linear")
    with pytest.raises(ValueError, match=r"backward must be 'exact'.*kl_schedule must be"):
        advance(begin(config), 1, capture=True)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
@pytest.mark.parametrize("n_layers", [1, 2])
def test_a_captured_run_takes_the_steps_of_a_plain_one(n_layers):
    # 160 steps of 75 an epoch pass the first change of the rate, so the graph is recorded twice.
    config = burda_config(n_layers, 5, dataset="digits", seed=0, device="cuda")
    start = begin(config)
    plain, captured = advance(start, 160), advance(start, 160, capture=True)
    assert captured.state.step == 160
    np.testing.assert_allclose(
        captured.records.objective, plain.records.objective, rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(captured.state.parameters, plain.state.parameters, atol=1e-4)
