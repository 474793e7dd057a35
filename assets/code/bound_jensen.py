"""Jensen's gap: log of the mean against mean of the log, for a mean of K weights."""

import torch

from iwae_core.bounds.objectives import iwae
from iwae_core.evaluation.studies.microscope import gaps, log_ratio, variance
from iwae_core.rng import standard_normal, stream

LAW = "lognormal"  # or "bounded", "pareto"
SIGMA = 1.0  # standard deviation of one log weight, nats
K = 1  # weights in the mean
SEED = 1

# %%
eps = standard_normal((K, 4000), stream(SEED, "weights"), torch.float64)
runs = iwae(log_ratio(LAW, SIGMA, eps))  # log of the mean of K weights over p(x)
print(f"gap_of_the_runs = {-runs.mean():.9g}")
print(f"share_above = {(runs > 1e-12).double().mean():.9g}")

# %% Exact, by quadrature, and to leading order in 1/K.
print(f"gap = {gaps(LAW, SIGMA, (K,))[0]:.9g}")
print(f"approximate_gap = {variance(LAW, SIGMA) / (2 * K):.9g}")
