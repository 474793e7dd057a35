"""Dimension lift: the same small mismatch in D coordinates, with plain products and logarithms."""

import math

import torch

from iwae_core.evaluation.studies.lift import MAX_DIMS
from iwae_core.evaluation.studies.noise import NormalNoise
from iwae_core.sampling import weights
from iwae_core.sampling.densities import Normal
from iwae_core.sampling.divergences import log_chi_square_moment

SHIFT = 0.0  # mean of q in each coordinate; p is Normal(0, 1)
RATIO = 1.25  # its standard deviation
D = 100  # dimensions
K = 1000  # draws
SEED = 1

# %%
p, q = Normal(0.0, 1.0), Normal(SHIFT, RATIO)
z = q.from_noise(NormalNoise(SEED, "lift", 0)((MAX_DIMS, K)))[:D]
log_w = (p.log_prob(z) - q.log_prob(z)).sum(dim=0)
print(f"ess = {weights.ess(log_w):.9g}")
print(f"predicted_ess = {K * math.exp(-D * log_chi_square_moment(p, q)):.9g}")
print(f"max_weight = {weights.max_weight(log_w):.9g}")

# %%
print(f"log_mean = {weights.log_mean_exp(log_w):.9g}")  # exact: 0
for dtype in (torch.float64, torch.float32):
    ratios = p.log_prob(z).to(dtype).exp() / q.log_prob(z).to(dtype).exp()
    w = ratios.cumprod(dim=0)[-1]
    name = str(dtype).removeprefix("torch.")
    print(f"{name}_zeros = {(w == 0).double().mean():.9g}")
    print(f"{name}_log_mean = {w.mean().log():.9g}")
