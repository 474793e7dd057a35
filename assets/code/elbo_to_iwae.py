"""The bound L_K against log p(x), where log p(x) is known exactly."""

import math

import torch

from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.evaluation.studies.tightness import make_q, oracle, posterior
from iwae_core.rng import stream
from iwae_core.sampling.divergences import log_chi_square_moment

K = 16  # samples per run
SHIFT = 1.5  # of q, in standard deviations of the posterior
SCALE = 1.0  # of q, times the posterior's
CORRELATED = True  # False: q has independent coordinates
SEED = 1
N_WEIGHTS = 65536

# %%
model, x = oracle()
log_marginal = model.log_marginal(x).item()
q = make_q(SHIFT, SCALE, CORRELATED)
z = q.sample((N_WEIGHTS,), stream(SEED, "draws"), torch.float64)
log_w = model.log_joint(x, z[:, None, :])[:, 0] - q.log_prob(z)

# %%
n_runs = N_WEIGHTS // K
runs = log_w[: K * n_runs].reshape(K, n_runs)  # each column is one run of the bound
single = iwae(runs)
print(f"log_marginal = {log_marginal:.9g}")
print(f"n_runs = {n_runs}")
print(f"share_above = {(single > log_marginal + 1e-9).double().mean():.9g}")
print(f"average_log = {elbo(runs).mean():.9g}")  # the ELBO, the same for every K

# %% The mean weight over p(x) has mean one: where its variance is below one, its excess is noise.
if log_chi_square_moment(posterior(), q) < math.log1p(K):
    single = single - torch.expm1(single - log_marginal)
print(f"bound = {single.mean():.9g}")  # L_K
print(f"std_error = {single.std() / n_runs**0.5:.9g}")
