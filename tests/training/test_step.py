"""The step against torch's own Adam, around a gradient made by hand."""

import copy

import pytest
import torch

from iwae_core.bounds.objectives import iwae
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, stream
from iwae_core.training import TrainConfig
from iwae_core.training.step import Stepper, lay_flat

CONFIG = TrainConfig(n_samples=4, hidden=(7,), latent_dim=2, learning_rate=3e-3, adam_eps=1e-4)


def small():
    return Vae(5, 2, hidden=(7,), generator=make_generator(0))


def flat_of(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def batch(t):
    return torch.bernoulli(torch.full((20, 5), 0.3), generator=stream(0, "x", t))


def stepper_of(model, n_taken=0, moments=None):
    flat = flat_of(model)
    moments = moments or (torch.zeros_like(flat), torch.zeros_like(flat))
    return Stepper(CONFIG, model, flat, moments, n_taken)


def test_many_steps_are_those_of_torchs_adam_class():
    # Not fused and not for each: another code path of torch, and the class that counts steps by
    # itself. A rate factor changes half way, as in Burda's schedule.
    ours, theirs = small(), small()
    stepper = stepper_of(ours)
    adam = torch.optim.Adam(
        theirs.parameters(), lr=3e-3, eps=1e-4, maximize=True, foreach=False, fused=False
    )
    start = flat_of(theirs)
    for t in range(8):
        factor = 1.0 if t < 4 else 0.1
        stepper.step(batch(t), stream(0, "noise", t), rate_factor=factor)
        adam.param_groups[0]["lr"] = 3e-3 * factor
        adam.zero_grad()
        iwae(theirs.log_weights(batch(t), 4, stream(0, "noise", t))).mean().backward()
        adam.step()
    moved = flat_of(theirs) - start
    assert moved.abs().median() > 5e-3
    torch.testing.assert_close(stepper.flat - start, moved, rtol=1e-3, atol=2e-6)
    torch.testing.assert_close(flat_of(ours), stepper.flat, rtol=0, atol=0)


def test_a_stepper_goes_on_where_another_stopped_and_writes_into_what_it_was_given():
    at_once = stepper_of(small())
    for t in range(5):
        at_once.step(batch(t), stream(0, "noise", t))
    first = stepper_of(small())
    for t in range(3):
        first.step(batch(t), stream(0, "noise", t))
    model = copy.deepcopy(first.model)
    moments = tuple(moment.clone() for moment in first.moments)
    second = stepper_of(model, n_taken=3, moments=moments)
    for t in range(3, 5):
        second.step(batch(t), stream(0, "noise", t))
    assert torch.equal(second.flat, at_once.flat)
    for ours, theirs in zip(moments, at_once.moments, strict=True):
        assert torch.equal(ours, theirs)
    # The count of steps matters: Adam takes the start of its means out.
    wrong = stepper_of(copy.deepcopy(first.model), n_taken=0, moments=first.moments)
    wrong.step(batch(3), stream(0, "noise", 3))
    wrong.step(batch(4), stream(0, "noise", 4))
    assert not torch.allclose(wrong.flat, at_once.flat, atol=1e-4)


def test_parameters_of_another_model_are_refused():
    with pytest.raises(ValueError, match="belong to another configuration"):
        lay_flat(small(), torch.zeros(3))
