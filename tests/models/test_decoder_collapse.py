"""The autoregressive decoder can do without z, and then does; the plain one cannot."""

import math

import torch

from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, stream
from iwae_core.training import TrainConfig
from iwae_core.training.step import Stepper

D, FLIP = 12, 0.1
N_STEPS = 1000


def chains(n, generator):
    """Bits that repeat their left neighbor and flip with probability 0.1: no hidden cause."""
    first = torch.randint(2, (n, 1), generator=generator)
    flips = torch.bernoulli(torch.full((n, D - 1), FLIP), generator=generator).long()
    return torch.cat([first, (first + flips.cumsum(dim=1)) % 2], dim=1).float()


def trained(decoder):
    model = Vae(D, 3, hidden=(24,), decoder=decoder, generator=make_generator(1))
    flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    config = TrainConfig(
        objective="elbo", estimator="closed_form_kl", n_samples=1, learning_rate=3e-2
    )
    stepper = Stepper(config, model, flat, (torch.zeros_like(flat), torch.zeros_like(flat)), 0)
    for step in range(N_STEPS):
        x = chains(100, stream(0, "data", step))
        stepper.step(x, stream(0, "noise", step), rate_factor=1 - step / N_STEPS)
    return model


@torch.no_grad()
def kl_and_bound(model):
    x = chains(2000, make_generator(7))
    rate = model.posterior(x).kl_to_standard().sum(dim=1).mean().item()
    return rate, model.log_weights(x, 1, make_generator(8)).mean().item()


def test_pixels_that_see_their_neighbors_leave_the_latents_unused():
    # Early in training z carries the first bit (0.7 nats). As the pixels learn to look left, that
    # bit costs more through a Gaussian z than it saves, and the latents are given up. The truth:
    # one free bit, and D - 1 bits that cost the entropy of a flip each.
    entropy = -(FLIP * math.log(FLIP) + (1 - FLIP) * math.log(1 - FLIP))
    log_p = -math.log(2) - (D - 1) * entropy
    rate, bound = kl_and_bound(trained("autoregressive"))
    assert rate < 0.1
    assert abs(bound - log_p) < 0.15  # two standard errors of 2,000 test chains are 0.09
    rate, bound = kl_and_bound(trained("mlp"))
    assert rate > 1.0
    assert bound < log_p - 0.3
