"""Steps replayed from a CUDA graph are the plain steps; elsewhere the wish is refused."""

import dataclasses

import numpy as np
import pytest
import torch
from emulated_graphs import Emulator, Graph

from iwae_core.rng import make_generator
from iwae_core.training import TrainConfig, advance, begin, burda_config, run

SMALL = TrainConfig(hidden=(20,), latent_dim=3, n_samples=4, batch_size=20)


def test_a_run_on_the_cpu_is_not_captured():
    with pytest.raises(ValueError, match="device must be 'cuda' to capture a graph, got 'cpu'"):
        advance(begin(SMALL), 1, capture=True)


def test_a_run_whose_steps_differ_is_not_captured():
    config = dataclasses.replace(SMALL, backward="truncated", kl_schedule="linear")
    with pytest.raises(ValueError, match=r"backward must be 'exact'.*kl_schedule must be"):
        advance(begin(config), 1, capture=True)


@pytest.fixture
def emulator(monkeypatch):
    """Graphs are recorded and replayed on the CPU."""
    emulator = Emulator()
    emulator.install(monkeypatch)
    monkeypatch.setattr(run, "check_capturable", lambda config: None)
    return emulator


def assert_same_run(found, expected):
    np.testing.assert_array_equal(found.records.objective, expected.records.objective)
    np.testing.assert_array_equal(found.records.ess, expected.records.ess)
    for field in ("parameters", "first_moment", "second_moment"):
        np.testing.assert_array_equal(getattr(found.state, field), getattr(expected.state, field))


OBJECTIVES = {
    "iwae": {},
    "elbo": {"objective": "elbo"},
    "renyi": {"objective": "renyi", "objective_setting": 0.95},
    "ciwae": {"objective": "ciwae"},
    "miwae": {"objective": "miwae", "objective_setting": 2.0},
    "closed form": {"objective": "elbo", "estimator": "closed_form_kl", "free_bits": 0.1},
    "stick the landing": {"estimator": "stick_the_landing"},
    "DReG": {"estimator": "doubly_reparameterized"},
    "wake-sleep": {"estimator": "wake_sleep"},
    "piwae": {"estimator": "piwae", "objective": "miwae", "objective_setting": 2.0},
    "two layers": {"second_latent_dim": 2, "second_hidden": (5,)},
    "autoregressive": {"decoder": "autoregressive"},
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_recorded_step_has_all_of_the_step_in_it(name, emulator):
    # The same bits: nothing of a step is left to Python, and nothing in it asks for the host.
    config = dataclasses.replace(SMALL, **OBJECTIVES[name])
    assert_same_run(advance(begin(config), 5, capture=True), advance(begin(config), 5))
    assert len(emulator.graphs) == 1
    assert len(emulator.warmed) == 1


def test_a_change_of_the_rate_or_of_k_is_recorded_anew(emulator):
    # Batch 500 of 1,500 rows: the stages of Burda's rate change after steps 3 and 12.
    config = dataclasses.replace(SMALL, batch_size=500, rate_schedule="burda")
    whole = advance(begin(config), 14)
    assert_same_run(advance(begin(config), 14, capture=True), whole)
    assert len(emulator.graphs) == 3
    plain = advance(advance(whole.state, 2, {"n_samples": 7}).state, 2, {"n_samples": 4})
    captured = advance(whole.state, 2, {"n_samples": 7}, capture=True).state
    captured = advance(captured, 2, {"n_samples": 4}, capture=True)
    assert_same_run(captured, plain)


def test_the_log_weights_of_a_step_outlive_the_next(emulator):
    trainer = run._Trainer(begin(SMALL), run.CapturedStepper)
    first = trainer.step()
    kept = first.clone()
    assert not torch.equal(trainer.step(), kept)
    assert torch.equal(first, kept)


@pytest.mark.parametrize(
    "step",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: x * torch.tensor([2.0, 3.0]),
    ],
)
def test_the_emulator_refuses_what_cuda_would(step):
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"), Graph():
        step(torch.ones(2))


def test_the_emulator_refuses_other_generators_and_bakes_numbers_in():
    graph, factor, x = Graph(), 2.0, torch.ones(2)
    graph.register_generator_state(generator := make_generator(0))
    with graph:
        y = factor * x + torch.rand(2, generator=generator)
    with pytest.raises(AssertionError, match="was not registered"), Graph():
        torch.rand(2, generator=make_generator(0))
    factor = 3.0
    x.fill_(5.0)
    generator.manual_seed(1)
    graph.replay()
    assert torch.equal(y, 10.0 + torch.rand(2, generator=make_generator(1)))


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
