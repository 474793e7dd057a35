"""The smallest complete VAE: one sample, and a KL in closed form."""

import math

import torch
from torch import Tensor, nn

from iwae_core.datasets import binarize, load
from iwae_core.models.networks import glorot_uniform
from iwae_core.rng import standard_normal, stream

K = 1  # samples per datapoint
LATENT_DIM = 8
N_STEPS = 1000
SEED = 1

# %% Networks: q(z | x) is normal, p(z) standard normal, p(x | z) Bernoulli from logits
data = load("digits")
encoder = nn.Sequential(nn.Linear(64, 100), nn.Tanh(), nn.Linear(100, 2 * LATENT_DIM))
decoder = nn.Sequential(nn.Linear(LATENT_DIM, 100), nn.Tanh(), nn.Linear(100, 64))
glorot_uniform(nn.ModuleList([encoder, decoder]), stream(SEED, "start"))
adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)


def terms(x: Tensor, n_samples: int, noise: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Log p(x | z) and log p(z) - log q(z | x), each (K, B); KL(q || p) in closed form, (B,)."""
    loc, log_scale = encoder(x).chunk(2, dim=-1)
    eps = standard_normal((n_samples, *loc.shape), noise)
    z = loc + log_scale.exp() * eps
    logits = decoder(z)
    log_likelihood = (x * logits - nn.functional.softplus(logits)).sum(dim=-1)
    log_ratio = (0.5 * (eps.square() - z.square()) + log_scale).sum(dim=-1)
    kl = (0.5 * (loc.square() + (2 * log_scale).exp() - 1) - log_scale).sum(dim=-1)
    return log_likelihood, log_ratio, kl


# %% Training
for step in range(N_STEPS):
    rows = torch.randint(len(data.train), (100,), generator=stream(SEED, "rows", step))
    x = binarize(data.train[rows], stream(SEED, "bits", step))
    log_likelihood, log_ratio, kl = terms(x, K, stream(SEED, "noise", step))
    bound = log_likelihood.mean(dim=0) - kl
    adam.zero_grad()
    (-bound.mean()).backward()
    adam.step()

# %% One ruler for both: held-out digits, with 1 and with 64 samples
with torch.no_grad():
    x = binarize(data.test, stream(SEED, "test bits"))
    log_likelihood, log_ratio, kl = terms(x, 64, stream(SEED, "test noise"))
    log_w = log_likelihood + log_ratio
print(f"held_out_L_1 = {log_w.mean():.4f}")
print(f"held_out_L_64 = {(torch.logsumexp(log_w, dim=0) - math.log(64)).mean():.4f}")
