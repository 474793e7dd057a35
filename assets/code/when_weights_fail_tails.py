"""Light tails: many runs, their reported intervals, and the tail index of the weights."""

import torch

from iwae_core.evaluation.studies.tails import N_REPEATS, TailsConfig, problem
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling import estimators

TARGET = "normal"  # or "student_t", with 5 degrees of freedom
LOC = 0.0  # of the Normal proposal
SCALE = 0.5
INTEGRAND = "z_squared"
ESTIMATOR = "importance"  # or "self_normalized"
K = 1000  # draws in each run
SEED = 1

# %%
asked = problem(TailsConfig(target=TARGET, loc=LOC, scale=SCALE, integrand=INTEGRAND))
eps = standard_normal((K, N_REPEATS), stream(SEED, "tails"), torch.float64)
z = LOC + SCALE * eps
log_w = asked.target.log_prob(z) - asked.proposal.log_prob(z)

# %%
runs = getattr(estimators, ESTIMATOR)(asked.f(z), log_w)  # one for each column
holds = (runs.value - asked.exact).abs() <= 1.96 * runs.std_error
flagged = runs.k_hat > 0.7
print(f"estimate = {runs.value[0]:.9g}")  # of the first run, which the page shows
print(f"std_error = {runs.std_error[0]:.9g}")
print(f"exact = {asked.exact:.9g}")
print(f"tail_index = {asked.tail_index:.9g}")
print(f"k_hat = {runs.k_hat[0]:.9g}")
print(f"coverage = {holds.double().mean():.9g}")
print(f"misses = {(~holds).sum()}")
print(f"misses_flagged = {(~holds & flagged).sum()}")
