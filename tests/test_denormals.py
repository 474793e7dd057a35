"""Denormal numbers are flushed where that saves time, and nowhere else."""

import torch

from iwae_core import denormals
from iwae_core.evaluation import log_likelihood
from iwae_core.rng import make_generator
from iwae_core.training import TrainConfig, advance, begin, model_of
from iwae_core.training.frame import observe

SMALL = TrainConfig(dataset="moons", hidden=(4,), latent_dim=2)


def test_the_block_flushes_and_puts_back_what_was():
    assert not denormals.are_flushed()
    with denormals.flushed():
        assert denormals.are_flushed()
        assert (torch.tensor([1e-40]) * 0.5).item() == 0
        with denormals.flushed():
            pass
        assert denormals.are_flushed()
    assert not denormals.are_flushed()
    assert (torch.tensor([1e-40]) * 0.5).item() > 0


def test_training_and_evaluation_leave_the_callers_arithmetic_alone():
    state = advance(begin(SMALL), 2).state
    observe(state)
    log_likelihood(model_of(state), torch.zeros(3, 2), 5, make_generator(0))
    assert not denormals.are_flushed()


def test_a_caller_who_flushes_gets_the_same_bits():
    plain = advance(begin(SMALL), 5).state.parameters
    with denormals.flushed():
        flushing = advance(begin(SMALL), 5).state.parameters
    assert (plain == flushing).all()
