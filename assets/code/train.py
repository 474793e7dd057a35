"""Train a VAE or an IWAE and watch its held-out bounds."""

from iwae_core.training import TrainConfig, advance, begin
from iwae_core.training.frame import observe

DATASET = "digits"
OBJECTIVE = "iwae"
ESTIMATOR = "reparameterized"
K = 5  # importance samples per datapoint
LATENT_DIM = 8
HIDDEN = (100, 100)
LEARNING_RATE = 0.002
BATCH_SIZE = 100
SEED = 1
MORE = {}  # settings that differ from the defaults
N_STEPS = 200

# %%
config = TrainConfig(
    dataset=DATASET,
    objective=OBJECTIVE,
    estimator=ESTIMATOR,
    n_samples=K,
    latent_dim=LATENT_DIM,
    hidden=HIDDEN,
    learning_rate=LEARNING_RATE,
    batch_size=BATCH_SIZE,
    seed=SEED,
    **MORE,
)
state = begin(config)

# %%
for _ in range(4):
    state = advance(state, N_STEPS // 4).state
    frame = observe(state)  # the numbers under the page's picture at this step
    print(f"step {frame.step}: L_1 = {frame.bound_1:.3f}, L_64 = {frame.bound_64:.3f} nats")
