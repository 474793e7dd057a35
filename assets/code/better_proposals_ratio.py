"""Plain against self-normalized: many runs of K draws, bias and spread of both."""

import math

import torch

from iwae_core.evaluation.studies import exact
from iwae_core.evaluation.studies.weighting import problem
from iwae_core.rng import stream
from iwae_core.sampling import estimators
from iwae_core.sampling.integrands import Power

TARGET = "normal"
LOC = 0.0  # of the proposal
SCALE = 1.2
INTEGRAND = "z"
K = 16  # draws in a run
SEED = 1
N_DRAWS = 2**16  # in all runs together

# %%
asked = problem(TARGET, "normal", LOC, SCALE, 3.0, INTEGRAND)
z = asked.draw((N_DRAWS,), stream(SEED, "ratio"), torch.float64).reshape(-1, K).T
f, log_w = asked.f(z), asked.log_weights(z)
plain = (log_w.exp() * f).mean(dim=0)
seen = torch.isfinite(log_w).any(dim=0)  # runs without any weight have no ratio
ratio = estimators.self_normalized(f[:, seen], log_w[:, seen]).value

# %%
# The exact leading terms: -Cov(w, w (f - mu)) / K, and Var(w f) / K of the plain average.
square = exact.weighted_square(asked.target, asked.proposal, Power(0))
product = exact.weighted_square(asked.target, asked.proposal, asked.f)
print(f"exact = {asked.exact:.9g}")
print(f"plain_spread = {asked.std_of_term / math.sqrt(K):.9g}")  # exact
print(f"plain_measured = {plain.std():.9g}")
print(f"ratio_spread = {ratio.std(correction=0):.9g}")
print(f"ratio_bias_raw = {ratio.mean() - asked.exact:.9g}")
print(f"leading_bias = {(asked.exact * square - product) / K:.9g}")
# The plain error has mean zero and shares its noise with the ratio's: take it away.
if math.isfinite(square) and seen.all():
    centered = (log_w.exp() * (f - asked.exact)).mean(dim=0)
    error = ratio - asked.exact - centered
    print(f"ratio_bias = {error.mean():.9g}")
    print(f"ratio_bias_error = {error.std() / math.sqrt(len(error)):.9g}")
