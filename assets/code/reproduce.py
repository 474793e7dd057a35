"""Train a kept run again: the same settings, changes and seed give the same numbers."""

import torch

from iwae_core.training import TrainConfig, advance, begin
from iwae_core.training.frame import observe

SETTINGS = {"dataset": "moons", "n_samples": 5, "seed": 1}  # what differs from the defaults
CHANGES = ((100, {"n_samples": 50}),)  # after so many updates: settings changed by hand
N_STEPS = 200

# %%
torch.set_num_threads(1)  # as in the app: another number may move the last digits
state = begin(TrainConfig(**SETTINGS))
for step, changes in (*CHANGES, (N_STEPS, {})):
    state = advance(state, step - state.step).state
    state = advance(state, 0, changes).state

# %%
frame = observe(state)  # on the held-out data of the app's pictures
print(f"step {frame.step}: L_1 = {frame.bound_1:.4f}, L_64 = {frame.bound_64:.4f} nats")
