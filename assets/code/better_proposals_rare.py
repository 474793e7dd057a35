"""P(z > a) under N(0, 1): naive, shifted and optimal draws."""

import torch

from iwae_core.evaluation.studies.optimal import optimal_proposal
from iwae_core.rng import stream
from iwae_core.sampling.densities import Normal
from iwae_core.sampling.integrands import Exceeds
from iwae_core.sampling.problems import make_problem

A = 4.0  # threshold
SHIFT = 4.0  # of the proposal
K = 1000  # draws in a run
SEED = 1
N_RUNS = 200

# %%
p, f = Normal(0.0, 1.0), Exceeds(A)
print(f"exact = {p.sf(torch.tensor(A, dtype=torch.float64)):.9g}")
ways = {"naive": p, "shifted": Normal(SHIFT, 1.0), "optimal": optimal_proposal(p, f)}
for name, q in ways.items():
    asked = make_problem(p, q, f)
    z = q.sample((K, N_RUNS), stream(SEED, "rare", name), torch.float64)
    estimate = (f(z) * asked.log_weights(z).exp()).mean(dim=0)
    relative = asked.std_of_term / asked.exact  # exact relative error of one draw
    print(f"{name}_first = {estimate[0]:.9g}")
    print(f"{name}_relative = {relative:.9g}")
    print(f"{name}_needed = {max((relative / 0.1) ** 2, 1):.9g}")  # draws for 10 %
    print(f"{name}_found_nothing = {(estimate == 0).double().mean():.9g}")
