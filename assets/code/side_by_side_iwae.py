"""The smallest complete IWAE: K samples, and the log of their mean weight."""

import torch
from torch import distributions, nn

from iwae_core.datasets import binarize, load
from iwae_core.models.networks import glorot_uniform
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling.weights import log_mean_exp

K = 5  # samples per datapoint
N_STEPS = 1000
SEED = 1
data = load("digits")
prior = distributions.Normal(0.0, 1.0)
encoder = nn.Sequential(nn.Linear(64, 100), nn.Tanh(), nn.Linear(100, 16))
decoder = nn.Sequential(nn.Linear(8, 100), nn.Tanh(), nn.Linear(100, 64))
glorot_uniform(nn.ModuleList([encoder, decoder]), stream(SEED, "start"))
adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)


def weigh(x, n, noise):
    """Give q(z | x); log p(x | z) and log w of n samples."""
    loc, log_scale = encoder(x).chunk(2, dim=-1)
    q = distributions.Normal(loc, log_scale.exp())
    z = loc + q.scale * standard_normal((n, *loc.shape), noise)
    likelihood = distributions.Bernoulli(logits=decoder(z))
    log_p_x = likelihood.log_prob(x).sum(-1)
    return q, log_p_x, log_p_x + (prior.log_prob(z) - q.log_prob(z)).sum(-1)


for step in range(N_STEPS):
    rows = torch.randint(len(data.train), (100,), generator=stream(SEED, "rows", step))
    x = binarize(data.train[rows], stream(SEED, "bits", step))
    q, log_p_x, log_w = weigh(x, K, stream(SEED, "noise", step))
    bound = log_mean_exp(log_w)
    adam.zero_grad()
    (-bound.mean()).backward()
    adam.step()

with torch.no_grad():
    x = binarize(data.test, stream(SEED, "test bits"))
    q, log_p_x, log_w = weigh(x, 64, stream(SEED, "test noise"))
print(f"held_out_L_1 = {log_w.mean():.4f}")
print(f"held_out_L_64 = {log_mean_exp(log_w).mean():.4f}")
