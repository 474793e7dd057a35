"""Two proposals: single weights, balance weights, and what smoothing and resampling do."""

import torch

from iwae_core.evaluation.studies import choices, exact
from iwae_core.rng import stream
from iwae_core.sampling import estimators, multiple, psis, resampling, weights
from iwae_core.sampling.densities import Mixture, Normal

TARGET = "two_modes"
INTEGRAND = "z"
Q1 = (-2.0, 0.8)  # mean and scale
Q2 = (3.0, 0.8)
COUNTS = (100, 100)  # draws from each
WEIGHTS = "single"  # or "balance"
SEED = 1

# %%
p = exact.normalized(choices.find_target(TARGET).made)
f = choices.INTEGRANDS[INTEGRAND].made
proposals, K = (Normal(*Q1), Normal(*Q2)), sum(COUNTS)
noise = stream(SEED, "two_proposals", "screen")
z = multiple.sample_each(proposals, COUNTS, noise, (1,), torch.float64)[:, 0]

# %%
own = torch.cat([q.log_prob(part) for q, part in zip(proposals, z.split(COUNTS), strict=True)])
single = p.log_prob(z) - own
balance = multiple.balance_log_weights(p, proposals, COUNTS, z)
log_w = {"single": single, "balance": balance}[WEIGHTS]
mixture = Mixture(proposals, tuple(n / K for n in COUNTS))

# %%
print(f"single = {(single.exp() * f(z)).mean():.9g}")
print(f"balance = {(balance.exp() * f(z)).mean():.9g}")
print(f"largest_balance = {exact.largest_log_weight(p, mixture):.9g}")  # log of the supremum
if torch.isfinite(log_w).any():
    chosen = resampling.systematic(log_w, K, stream(SEED, "two_proposals", "resampling"))
    print(f"smoothed = {estimators.pareto_smoothed(f(z), log_w).value:.9g}")
    print(f"resampled = {resampling.resample(f(z), chosen).mean():.9g}")
    print(f"ess = {weights.ess(log_w):.9g}")
    print(f"k_hat = {psis.k_hat(log_w):.9g}")
