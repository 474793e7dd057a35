"""The same 64 weights, boxed anew: the needle climbs, and nothing is drawn."""

import torch

from iwae_core.bounds.objectives import iwae
from iwae_core.evaluation.studies.tightness import make_q, oracle
from iwae_core.rng import stream

K = 8  # coins in a box: 1, 2, 4 .. 64
SHIFT = 1.5  # of q, in standard deviations of the posterior
SCALE = 1.0  # of q, times the posterior's
CORRELATED = True  # False: q has independent coordinates
SEED = 1

# %%
model, x = oracle()
q = make_q(SHIFT, SCALE, CORRELATED)
z = q.sample((1, 64), stream(SEED, "coins"), torch.float64)[0]
coins = model.log_joint(x, z[:, None, :])[:, 0] - q.log_prob(z)

# %%
boxes = iwae(coins.reshape(-1, K).T)  # log of the mean of each K neighbors
print(f"needle = {boxes.mean():.9g}")
print(f"elbo_of_these = {coins.mean():.9g}")  # the needle at K = 1
print(f"log_marginal = {model.log_marginal(x).item():.9g}")
