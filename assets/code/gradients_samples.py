"""One datapoint, K samples: equal weights (VAE) against normalized weights (IWAE)."""

import math

import torch

from iwae_core.evaluation.studies.gradient_oracle import Point, draws
from iwae_core.rng import standard_normal, stream

SHIFT = 1.0  # of q's mean, in standard deviations of the posterior
SCALE = 1.3  # of q, times the posterior's
K = 8  # samples
SEED = 1

# %%
eps = standard_normal((64, 2), stream(SEED, "samples"), torch.float64)[:K]
drawn, offset = draws(Point(SHIFT, SCALE), eps[None])  # two encoder, two decoder weights
log_w = drawn.log_w()
(per_sample,) = torch.autograd.grad(log_w.sum(), offset)  # d log w_k, (K, 4)
log_w = log_w.detach()[0]

# %%
weight = torch.softmax(log_w, dim=0)
vae = per_sample.mean(dim=0)  # every sample counts 1 / K
iwae = (weight[:, None] * per_sample).sum(dim=0)  # by its normalized weight
for name, gradient in (("vae", vae), ("iwae", iwae)):
    for i, value in enumerate(gradient.tolist()):
        print(f"{name}_{i} = {value:.9g}")
print(f"ess = {1 / weight.square().sum():.9g}")
print(f"max_weight = {weight.max():.9g}")
print(f"elbo = {log_w.mean():.9g}")
print(f"bound = {log_w.logsumexp(0) - math.log(K):.9g}")
