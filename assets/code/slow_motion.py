"""Slow motion: one datapoint of a run, from its samples to the gradient."""

import math

import torch
from torch import Tensor

from iwae_core.bounds.objectives import make_objective
from iwae_core.bounds.rate import make_estimator
from iwae_core.bounds.surrogates import Weighted
from iwae_core.rng import stream
from iwae_core.training import TrainConfig, advance, begin, model_of
from iwae_core.training.glance import probe
from iwae_core.training.schedule import KL_SCHEDULES

SETTINGS = {"dataset": "moons", "n_samples": 5, "seed": 1}  # what differs from the defaults
CHANGES = ((10, {"n_samples": 8}),)  # after so many updates: settings changed by hand
N_STEPS = 20
POINT = 0  # which held-out datapoint
NOISE = 1  # seed of its samples

# %% The run, trained again
torch.set_num_threads(1)  # as in the app: another number may move the last digits
state = begin(TrainConfig(**SETTINGS))
for step, changes in (*CHANGES, (N_STEPS, {})):
    state = advance(state, step - state.step).state
    state = advance(state, 0, changes).state
config, model = state.config, model_of(state).double()
K = config.n_samples

# %% Sample: z_k = mean + width * noise
x = torch.from_numpy(probe(config.dataset, config.data_folder).x[POINT : POINT + 1]).double()
draws = model.draws(x, K, stream(NOISE, "slow motion", POINT))
z = draws.z

# %% Weight: log w_k = log p(x | z_k) + beta (log p(z_k) - log q(z_k | x))
schedule = KL_SCHEDULES[config.kl_schedule]
beta = config.beta * schedule.weight(state.step, config.kl_steps, config.kl_ramp)
log_w = draws.log_likelihood(z) + beta * (draws.log_prior(z) - draws.log_q(z))

# %% Average: each weight's part of the sum, and how many samples that amounts to
weight = torch.softmax(log_w.detach()[:, 0], dim=0)
print(f"ess = {1 / weight.square().sum():.9g}")

# %% Log: of the mean weight, beside the mean of the logs
print(f"elbo = {log_w.mean():.9g}")
print(f"bound = {log_w.logsumexp(0).item() - math.log(K):.9g}")
objective = make_objective(config.objective, config.objective_setting)
estimator = make_estimator(
    config.estimator, free_bits=config.free_bits, target_rate=config.target_rate
)
scalar = estimator(draws, objective, beta)[0]  # whose gradient a training step follows
weighted = isinstance(estimator, Weighted)
print(f"objective = {(objective(log_w) if weighted else scalar).item():.9g}")

# %% Gradient: each sample pulls by its share, the pulls add up
named = dict(model.named_parameters())
is_encoder = torch.cat([torch.full((p.numel(),), "encoder" in name) for name, p in named.items()])


def gradient(of: Tensor) -> Tensor:
    """Of a scalar, all parameters in one row."""
    parts = torch.autograd.grad(
        of, named.values(), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([part.flatten() for part in parts])


def pull(k: int) -> Tensor:
    """What sample k adds to the gradient: all other shares are set to zero."""
    if not weighted:
        return gradient(draws.log_likelihood(z)[k, 0] / K)

    def only(log_w: Tensor) -> tuple[Tensor, ...]:
        keep = (torch.arange(K) == k)[:, None]
        return tuple(share * keep for share in estimator.shares(objective, log_w))

    return gradient(estimator.scalar(draws, beta, only)[0])


whole = gradient(scalar)
encoder, decoder = whole[is_encoder].norm(), whole[~is_encoder].norm()
print(f"encoder = {encoder:.9g}")
print(f"decoder = {decoder:.9g}")
for k in weight.argsort(descending=True, stable=True)[:16].tolist():
    part = pull(k) * whole
    print(
        f"sample {k + 1}: log_w = {log_w[k, 0]:.9g}, weight = {weight[k]:.9g}, "
        f"along_encoder = {part[is_encoder].sum() / encoder:.9g}, "
        f"along_decoder = {part[~is_encoder].sum() / decoder:.9g}"
    )
