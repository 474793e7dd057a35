"""Importance sampling: draws from q answer a question about p."""

import torch

from iwae_core.evaluation.studies.weighting import problem
from iwae_core.rng import stream
from iwae_core.sampling import estimators, weights

TARGET = "normal"
FAMILY = "normal"  # of the proposal
LOC = 0.5
SCALE = 1.5
DF = 3.0  # for the family "student_t"
INTEGRAND = "z"
ESTIMATOR = "importance"  # or "self_normalized"
K = 128  # draws
SEED = 1

# %%
asked = problem(TARGET, FAMILY, LOC, SCALE, DF, INTEGRAND)
z = asked.draw((K,), stream(SEED, "draws"), torch.float64)
log_w = asked.target.log_prob(z) - asked.proposal.log_prob(z)

# %%
estimate = getattr(estimators, ESTIMATOR)(asked.f(z), log_w)
print(f"estimate = {estimate.value:.9g}")
print(f"exact = {asked.exact:.9g}")
print(f"std_error = {estimate.std_error:.9g}")
print(f"ess = {estimate.ess:.9g}")
print(f"max_weight = {weights.max_weight(log_w):.9g}")
print(f"k_hat = {estimate.k_hat:.9g}")
print(f"mean_square_weight = {asked.second_moment:.9g}")  # exact E_q[w^2]
