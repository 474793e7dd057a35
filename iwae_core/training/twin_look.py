"""What a pair of runs is compared by while it goes on: two rulers on one fixed held-out sample.

Both runs are measured on the same datapoints with the same noise, so the difference at each
datapoint is kept and its mean is known far better than either bound: 100 datapoints of the probe,
with bits drawn once. The spread over the datapoints is that of the data; the noise of 64 samples
is in it, the chance of training is not.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.denormals import flushed
from iwae_core.evaluation.collapse import ACTIVE_VARIANCE
from iwae_core.rng import stream
from iwae_core.training.glance import Probe, probe
from iwae_core.training.state import RunState, model_of

N_HELD_OUT = 100  # datapoints of the bounds
N_SAMPLES = 64  # K of the ruler
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwinLook:
    """One of a pair of runs at one moment.

    Attributes:
        step: Updates taken.
        L_1: Mean over 64 samples of the log weight, of each datapoint, shape ``(100,)``, nats.
        L_64: L_64 of each datapoint with the same samples, shape ``(100,)``, nats.
        axes: The two latents shown: those with the largest KL.
        latents: Posterior means of the probe on those axes, shape ``(n, 2)``.
        n_active: Latents whose posterior mean varies over the probe by more than 0.01.
        n_latents: Latents next to the data.
    """

    step: int
    L_1: NDArray[np.float64]
    L_64: NDArray[np.float64]
    axes: tuple[int, int]
    latents: NDArray[np.float32]
    n_active: int
    n_latents: int


def data_of(state: RunState) -> Probe:
    """The held-out data that a look is about.

    Raises:
        ValueError: If the data are not to be had.
    """
    return probe(state.config.dataset, state.config.data_folder)


@flushed()
@torch.no_grad()
def look(state: RunState) -> TwinLook:
    """Look at a run; equal states give equal looks.

    Raises:
        ValueError: If the data are not to be had.
    """
    model, device = model_of(state), state.config.resolved_device()
    x = torch.from_numpy(data_of(state).x).to(device)
    noise = stream(_SEED, "noise", device=device)
    log_w = model.log_weights(x[:N_HELD_OUT], N_SAMPLES, noise).double()
    q = model.posterior(x)
    carried = q.kl_to_standard().mean(dim=0)
    first, second = _two_largest(carried)
    return TwinLook(
        step=state.step,
        L_1=elbo(log_w).cpu().numpy(),
        L_64=iwae(log_w).cpu().numpy(),
        axes=(first, second),
        latents=q.loc[:, [first, second]].cpu().numpy(),
        n_active=int((q.loc.var(dim=0, correction=0) > ACTIVE_VARIANCE).sum()),
        n_latents=len(carried),
    )


def _two_largest(carried: torch.Tensor) -> tuple[int, int]:
    """In their own order, so that the axes of a picture seldom swap."""
    if len(carried) == 1:
        return (0, 0)
    first, second = sorted(torch.topk(carried, 2).indices.tolist())
    return (first, second)
