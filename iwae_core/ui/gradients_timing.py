"""How long one step takes with each way backward: measured where it runs, in a worker process.

The gain in time depends on how few samples hold the weight, which training changes: a net is timed
as it starts and after a short training on digits of 8 x 8 pixels. Nothing here knows Streamlit: a
worker imports it.
"""

import time
from dataclasses import dataclass
from functools import partial

import torch

from iwae_core import datasets
from iwae_core.bounds.objectives import iwae, sample_shares
from iwae_core.datasets.dataset import binarize
from iwae_core.evaluation.studies import backward_cost as study
from iwae_core.models.vae import Vae
from iwae_core.rng import stream
from iwae_core.training import TrainConfig, advance, begin
from iwae_core.training.state import model_of

N_STEPS = (0, 150)  # of training before the clock starts
N_ROUNDS = 5
BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """One measurement.

    Attributes:
        n_samples: K.
        n_steps: Training steps before, one entry per net.
        milliseconds: By net: "exact", "truncated" (epsilon 0.01) and "resampled" (4 picks), the
            median time of one forward and backward pass.
        needed: By net, the mean share of the samples that holds 99 % of the weight.
        at: When it was measured, as the clock of this machine says.
    """

    n_samples: int
    n_steps: tuple[int, ...]
    milliseconds: tuple[dict[str, float], ...]
    needed: tuple[float, ...]
    at: str


def measure(n_samples: int, seed: int) -> Times:
    """Train a small net for a moment, and time it before and after; some seconds.

    Args:
        n_samples: K of the timed step; training uses 5.
        seed: Of the net, its training and the timed noise.
    """
    data = datasets.load("digits")
    x = binarize(data.train[:BATCH], stream(seed, "timed_bits"))
    state = begin(TrainConfig(dataset="digits", n_samples=5, batch_size=BATCH, seed=seed))
    times, needed = [], []
    for n_steps in N_STEPS:
        state = advance(state, n_steps - state.step).state
        model = model_of(state)
        assert isinstance(model, Vae)
        noise = partial(stream, seed, "timing", n_steps)
        times.append(study.measure_ms(model, x, n_samples, noise(), n_rounds=N_ROUNDS))
        with torch.no_grad():
            log_w = model.draws(x, n_samples, noise()).log_w()
        needed.append(share_needed(log_w, 0.01))
    at = time.strftime("%H:%M:%S")
    return Times(
        n_samples=n_samples,
        n_steps=N_STEPS,
        milliseconds=tuple(times),
        needed=tuple(needed),
        at=at,
    )


def share_needed(log_w: torch.Tensor, epsilon: float) -> float:
    """Mean share of the samples, heaviest first, that holds all but epsilon of the weight.

    Args:
        log_w: Log weights in nats, ``(K, B)``.
        epsilon: Share of the weight that may be left out.
    """
    heavy = sample_shares(iwae, log_w).sort(dim=0, descending=True).values.cumsum(dim=0)
    # One more than those that hold less than enough.
    count = (heavy < 1 - epsilon).sum(dim=0) + 1
    return float(count.clamp(max=len(log_w)).double().mean() / len(log_w))
