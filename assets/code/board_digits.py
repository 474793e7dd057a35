"""One cell of the board on digits: train with K samples, measure with another K."""

import numpy as np

from iwae_core import datasets
from iwae_core.evaluation.studies import use_cases
from iwae_core.training import TrainConfig, advance, begin, model_of

TRAIN_K = 1
TEST_K = 5000
N_STEPS = 2000
SEED = 1

# %%
config = TrainConfig(
    dataset="digits", n_samples=TRAIN_K, latent_dim=16, learning_rate=0.002, seed=SEED
)
model = model_of(advance(begin(config), N_STEPS).state)

# %%
x = use_cases.held_out(datasets.load("digits"))
values = use_cases.bound(model, x, TEST_K)  # one for each held-out digit
print(f"mean = {values.mean():.9g}")
print(f"data_error = {values.std(ddof=1) / np.sqrt(len(values)):.9g}")
