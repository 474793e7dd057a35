"""K = 1: the ELBO three ways, from the same draws."""

import torch

from iwae_core.evaluation.studies.elbo_ways import MAX_DRAWS, ElboWaysConfig, run

N_DRAWS = 256  # that each way averages, at most 4096
SHIFT = 1.5  # of q, in standard deviations of the posterior
SCALE = 1.0  # of q, times the posterior's
CORRELATED = True  # False: q has independent coordinates
SEED = 1

# %%
config = ElboWaysConfig(
    shift=SHIFT, scale=SCALE, correlated=CORRELATED, seed=SEED, n_draws=MAX_DRAWS
)
report = run(config)
for way in report.ways:
    draws = torch.from_numpy(way.draws[:N_DRAWS])
    print(f"{way.name} = {draws.mean():.9g}")
    print(f"{way.name}_error = {draws.std() / N_DRAWS**0.5:.9g}")
print(f"elbo = {report.elbo:.9g}")  # exact
