"""Weight x-ray: K particles of an encoder's q for one drawing, and what each of them weighs."""

import math

import torch

from iwae_core.evaluation.studies.drawing import pixels
from iwae_core.evaluation.studies.xray import log_marginal
from iwae_core.models.networks import DiagonalNormal
from iwae_core.places import ASSETS
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling.psis import k_hat
from iwae_core.training import load, model_of

NETWORK = "digits_iwae"  # or digits_elbo
DRAWING = "AADONAAAACQJQCAAAEMDQAAAACJPQKBAAAALIQGAAAGAAMIAAAOKFQHAAADNQLBA"  # 8x8, A to Q
SQUEEZE = 1.0  # factor on the encoder's widths
SHIFT = (0.0, 0.0)  # added to its mean
K = 64  # particles
SEED = 1

# %%
model = model_of(load(ASSETS / "pretrained" / NETWORK)).double()
x = pixels(DRAWING)  # black and white
with torch.no_grad():
    q = model.posterior(x)
    q = DiagonalNormal(q.loc + torch.tensor([SHIFT]), q.log_scale + math.log(SQUEEZE))
    eps = standard_normal((1000, 2), stream(SEED, "particles"), torch.float64)[:K]
    z = q.from_noise(eps[:, None])
    log_w = (model.log_joint(x, z) - q.log_prob(z))[:, 0]

# %%
weight = torch.softmax(log_w, dim=0)
print(f"ess = {1 / weight.square().sum():.9g}")
print(f"max_weight = {weight.max():.9g}")
print(f"k_hat = {k_hat(log_w):.9g}")
print(f"elbo = {log_w.mean():.9g}")
print(f"bound = {log_w.logsumexp(0) - math.log(K):.9g}")
print(f"log_marginal = {log_marginal(model, DRAWING).value:.9g}")
