"""The posterior that K samples really use: q, weighted, against the exact posterior."""

import torch

from iwae_core.evaluation.posterior import exact_posterior, implicit_posterior, kl_on_grid
from iwae_core.evaluation.studies.posterior_ground import ANY_X, GivenJoint, ground, round_q
from iwae_core.evaluation.studies.posterior_targets import TARGETS
from iwae_core.evaluation.studies.posterior_used import used
from iwae_core.rng import stream

TARGET = "banana"
CENTER = (0.0, 0.0)  # of q
SCALE = 1.2
K = 10
SEED = 1

# %%
target = TARGETS[TARGET]
model, q = GivenJoint(target.joint), round_q(CENTER, SCALE)
tables = ground(model, ANY_X, q, target.grid, log_marginal=target.joint.log_normalizer)
report = used(tables, K, stream(SEED, "resampled"))
print(f"log_marginal = {report.log_marginal:.9g}")
print(f"bound = {report.bound:.9g}")
print(f"kl_q = {report.kl_q:.9g}")
print(f"kl_used = {report.kl_used:.9g}")
print(f"effective = {report.effective:.9g}")

# %%
# The same by averaging over other draws: noisy, on a grid, and by another route.
p = exact_posterior(model, ANY_X, target.grid)
others = stream(SEED, "others")
with torch.no_grad():
    averaged = implicit_posterior(model, ANY_X, q, K, target.grid, others, n_repeats=200)
print(f"kl_used_by_draws = {kl_on_grid(averaged, p):.3g}")
