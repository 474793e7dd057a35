"""The five uses of two settings, trained from one seed; the page takes several."""

from iwae_core.evaluation.studies import compared
from iwae_core.training import TrainConfig, trials
from iwae_core.training.trials import Trial

DATASET = "digits"
A = ("elbo", "closed_form_kl", 1, 1.0)  # objective, estimator, K, beta
B = ("iwae", "reparameterized", 5, 1.0)
LATENT_DIM = 16
HIDDEN = (100, 100)
LEARNING_RATE = 0.002
BATCH_SIZE = 100
SEED = 1
N_STEPS = 2000

# %%
found = []
for objective, estimator, n_samples, beta in (A, B):
    config = TrainConfig(
        dataset=DATASET,
        objective=objective,
        estimator=estimator,
        n_samples=n_samples,
        beta=beta,
        latent_dim=LATENT_DIM,
        hidden=HIDDEN,
        learning_rate=LEARNING_RATE,
        batch_size=BATCH_SIZE,
        seed=SEED,
    )
    trial = trials.carry_out(Trial(config=config, n_steps=N_STEPS))
    found.append(compared.measures_of(trial.found))

# %%
for name in compared.MEASURES:
    if name in found[0]:
        a, b = (float(one[name].mean()) for one in found)
        print(f"{name}_a = {a:.9g}")
        print(f"{name}_b = {b:.9g}")
