"""The bound L_K against log p(x), where log p(x) is known exactly."""

import torch

from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.evaluation.studies.tightness import make_q, oracle
from iwae_core.rng import stream

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
print(f"average_log = {elbo(runs).mean():.9g}")  # the same for every K: the ELBO
print(f"log_average = {single.mean():.9g}")  # L_K, as the runs have it

# %% The page's L_K: the mean weight over p(x) has mean one, so its excess may be taken off.
ratio = torch.exp(single - log_marginal)
steady = single - (ratio - 1)
print(f"log_average_steady = {steady.mean():.9g}")
print(f"std_error_steady = {steady.std() / n_runs**0.5:.9g}")
