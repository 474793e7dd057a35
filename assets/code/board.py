"""One cell of the board: train a linear VAE with K samples, measure it with another K."""

import numpy as np

from iwae_core.evaluation.studies import rulers
from iwae_core.evaluation.studies.rulers import RulersConfig

FAMILY = "round"  # of q: one width, or "free", a width for each latent
TRAIN_K = 1
TEST_K = 0  # 1, 5, 16, 64, 256 or 1024; 0 for the exact log p(x)
N_STEPS = 1500
SEED = 1

# %%
config = RulersConfig(family=FAMILY, n_samples=TRAIN_K, n_steps=N_STEPS, seed=SEED)
model = rulers.train(config)

# %%
columns = (*rulers.TEST_K, 0)
values = rulers.measure(model)[columns.index(TEST_K)]  # one for each held-out datapoint
below = rulers.true_log_marginal() - values
print(f"mean = {values.mean():.9g}")
print(f"data_error = {values.std(ddof=1) / np.sqrt(len(values)):.9g}")
print(f"below_truth = {below.mean():.9g}")
