"""One digit under two trained networks: q, and the posterior that K samples really use."""

from iwae_core.evaluation.studies.posterior_digits import NETWORKS, of_digit
from iwae_core.places import ASSETS
from iwae_core.rng import stream
from iwae_core.training import load, model_of

DIGIT = 0  # of the test set
K = 10
SEED = 1

# %%
for name in NETWORKS:
    model = model_of(load(ASSETS / "pretrained" / name)).double()
    report = of_digit(model, DIGIT, K, stream(SEED, "resampled"))
    print(f"{name}_log_marginal = {report.log_marginal:.9g}")
    print(f"{name}_bound = {report.bound:.9g}")
    print(f"{name}_kl_q = {report.kl_q:.9g}")
    print(f"{name}_kl_used = {report.kl_used:.9g}")
