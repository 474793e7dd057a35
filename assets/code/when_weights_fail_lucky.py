"""One lucky particle: the running mean, its largest jump, and the same without some draws."""

import torch

from iwae_core.evaluation.studies.weighting import problem
from iwae_core.rng import stream
from iwae_core.sampling import estimators

SCALE = 1.25  # of the proposal, Normal(0, SCALE)
K = 1000  # draws
SEED = 418
LEFT_OUT = (884,)  # draws, counted from one

# %%
asked = problem("far_bump", "normal", 0.0, SCALE, 3.0, "z")
z = asked.draw((K,), stream(SEED, "draws"), torch.float64)
log_w = asked.log_weights(z)
f = asked.f(z)

# %%
running = (log_w.exp() * f).cumsum(dim=0) / torch.arange(1, K + 1)
jumps = running.diff().abs()
jumps[:19] = 0  # before 20 draws every draw is a jump
print(f"largest_jump_at = {jumps.argmax() + 2}")  # the draw that made it

# %%
kept = torch.ones(K, dtype=torch.bool)
kept[[n - 1 for n in LEFT_OUT]] = False
full = estimators.importance(f, log_w)
rest = estimators.importance(f[kept], log_w[kept])
print(f"exact = {asked.exact:.9g}")
for name, found in (("full", full), ("rest", rest)):
    print(f"{name}_estimate = {found.value:.9g}")
    print(f"{name}_std_error = {found.std_error:.9g}")
    print(f"{name}_ess = {found.ess:.9g}")
    print(f"{name}_k_hat = {found.k_hat:.9g}")
