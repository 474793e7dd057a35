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
from iwae_core.models.model import LatentModel
from iwae_core.precision import in_float64
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
        bound_k: Held-out L_K for the K in force, their mean, nats.
        axes: The two latents shown: those with the largest KL.
        latents: Posterior means of the probe on those axes, shape ``(n, 2)``.
        n_active: Latents whose posterior mean varies over the probe by more than 0.01.
        n_latents: Latents next to the data.
    """

    step: int
    L_1: NDArray[np.float64]
    L_64: NDArray[np.float64]
    bound_k: float
    axes: tuple[int, int]
    latents: NDArray[np.float32]
    n_active: int
    n_latents: int

    @property
    def bounds(self) -> tuple[float, float, float]:
        """Held-out L_1, L_K and L_64, means over the datapoints, nats."""
        return float(self.L_1.mean()), self.bound_k, float(self.L_64.mean())


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
    log_w = in_float64(model.log_weights(x[:N_HELD_OUT], N_SAMPLES, noise))
    q = model.posterior(x)
    carried = q.kl_to_standard().mean(dim=0)
    first, second = _two_largest(carried)
    return TwinLook(
        step=state.step,
        L_1=elbo(log_w).cpu().numpy(),
        L_64=iwae(log_w).cpu().numpy(),
        bound_k=_bound_k(model, x[:N_HELD_OUT], state.config.n_samples, log_w),
        axes=(first, second),
        latents=q.loc[:, [first, second]].cpu().numpy(),
        n_active=int((q.loc.var(dim=0, correction=0) > ACTIVE_VARIANCE).sum()),
        n_latents=len(carried),
    )


def _bound_k(model: LatentModel, x: torch.Tensor, K: int, log_w: torch.Tensor) -> float:
    """L_K from the samples that there are, in groups of K, or from K of its own."""
    if len(log_w) < K:
        log_w = model.log_weights(x, K, stream(_SEED, "bound", device=x.device))
    n_groups = len(log_w) // K
    return iwae(log_w[: n_groups * K].reshape(K, -1)).mean().item()


def _two_largest(carried: torch.Tensor) -> tuple[int, int]:
    """In their own order, so that the axes of a picture seldom swap."""
    if len(carried) == 1:
        return (0, 0)
    first, second = sorted(torch.topk(carried, 2).indices.tolist())
    return (first, second)
