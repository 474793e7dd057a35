"""Two settings in lock step: same start, same batches and bits, and what they differ by."""

from iwae_core.runtime.twin_slices import held_out_row
from iwae_core.training import TrainConfig, advance, begin
from iwae_core.training.twin_look import look

DATASET = "digits"
A = ("elbo", "closed_form_kl", 1, 1.0)  # objective, estimator, K, beta
B = ("iwae", "reparameterized", 5, 1.0)
LATENT_DIM = 16
HIDDEN = (100, 100)
LEARNING_RATE = 0.002
BATCH_SIZE = 100
SEED = 1
N_STEPS = 200

# %%
states = [
    begin(
        TrainConfig(
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
    )
    for objective, estimator, n_samples, beta in (A, B)
]

# %%
for _ in range(4):
    states = [advance(state, N_STEPS // 4).state for state in states]
    step, a_1, a_64, b_1, b_64, by_1, error_1, by_64, error_64 = held_out_row(*map(look, states))
    print(f"step {step:.0f}: A has L_1 = {a_1:.3f}, L_64 = {a_64:.3f} nats")
    print(f"  B less A: L_1 {by_1:+.3f} +- {error_1:.3f}, L_64 {by_64:+.3f} +- {error_64:.3f}")
