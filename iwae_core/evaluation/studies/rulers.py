r"""Train K by test K, on data whose true log p(x) is known: one row of the board.

    truth   z ~ N(0, I_3),  x | z ~ N(W z + b, s^2 I_6)          so log p(x) is exact
    model   the same family: W and b are learned, s is given     so its own log p(x) is exact too
    q       N(V x + c, diag v): all widths equal ("round"), or one for each latent ("free")

The model can be the truth. A free q can then be its exact posterior as well: for some rotation of
z, which the data do not see, the posterior has independent coordinates. A round q cannot, as the
posterior is wide where the data say little. How a model trained with K samples copes is a row;
each column measures it with another K, and the last one exactly.

Every row meets the same fresh batches, drawn from the truth, so nothing is learned by heart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.bounds.objectives import iwae
from iwae_core.counts import is_count
from iwae_core.evaluation.likelihood import log_likelihood
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.linear_vae import LinearVae
from iwae_core.names import check_known
from iwae_core.rng import standard_normal, stream

Array = NDArray[np.float64]

FAMILIES: Mapping[str, str] = {
    "round": "Round q",  # one width
    "free": "Free q",  # a width for each latent
}
TRAIN_K = (1, 5, 16, 64)
TEST_K = (1, 5, 16, 64, 256, 1024)
N_HELD_OUT = 2000
_LENGTHS = (2.0, 0.7, 0.3)  # of W's columns before they are mixed: the posterior's widths differ
_DATA_DIM = 6
_NOISE_SCALE = 0.5
_BATCH = 100
_RATE = 0.02  # Adam's, falling to zero along a line
_TRUTH_SEED = 0  # of the truth and of what is held out: the same for every row


@dataclass(frozen=True, slots=True, kw_only=True)
class RulersConfig:
    """One training: which q, with how many samples, how long, and from which seed."""

    family: str = "round"
    n_samples: int = 1  # K of training
    n_steps: int = 1500
    seed: int = 1

    def __post_init__(self) -> None:
        check_known(self.family, FAMILIES, "family of q")
        faults = []
        if not is_count(self.n_samples):
            faults.append(f"n_samples must be at least 1, got {self.n_samples}: a whole number?")
        if not is_count(self.n_steps, 0):
            faults.append(f"n_steps must not be negative, got {self.n_steps}: a whole number?")
        if not is_count(self.seed, 0):
            faults.append(f"seed must not be negative, got {self.seed}: a whole number?")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowReport:
    """One trained model on every ruler.

    Attributes:
        n_samples: K of training.
        seed: Of training.
        values: Nats, shape ``(C, n)``: for each ruler and each held-out datapoint; L_K for the
            test K in turn, last the exact log p(x) of the model (or what stands in for it).
    """

    n_samples: int
    seed: int
    values: Array


@cache
def truth() -> LinearGaussian:
    """The model that the data come from; float64."""
    D, d = _DATA_DIM, len(_LENGTHS)
    frame = torch.linalg.qr(standard_normal((D, d), _stream("frame"), torch.float64))[0]
    mixing = torch.linalg.qr(standard_normal((d, d), _stream("mixing"), torch.float64))[0]
    weight = frame * torch.tensor(_LENGTHS, dtype=torch.float64) @ mixing
    return LinearGaussian(weight, torch.linspace(-1, 1, D, dtype=torch.float64), _NOISE_SCALE)


@cache
def held_out() -> Tensor:
    """Data that nobody trains on, shape ``(2000, 6)``."""
    return truth().sample(N_HELD_OUT, _stream("held out"))[0]


def true_log_marginal() -> Array:
    """The true log p(x) of the held-out data, shape ``(2000,)``, nats, exact."""
    found: Array = truth().log_marginal(held_out()).numpy()
    return found


def train(config: RulersConfig) -> LinearVae:
    """Maximize L_K on fresh data for ``n_steps`` batches of 100; some seconds."""
    model = truth()
    D, d = model.weight.shape
    start = stream(config.seed, "start")
    weight = 0.3 * standard_normal((D, d), start, torch.float64)
    encoder = 0.1 * standard_normal((d, D), start, torch.float64)
    bias = torch.zeros(D, dtype=torch.float64)
    log_scale = torch.zeros(1 if config.family == "round" else d, dtype=torch.float64)
    learned = [part.requires_grad_() for part in (weight, bias, encoder, log_scale)]

    def built() -> LinearVae:
        decoder = LinearGaussian(weight, bias, model.noise_scale)
        return LinearVae(decoder, encoder, log_scale.expand(d))

    adam = torch.optim.Adam(learned, lr=_RATE)
    for step in range(config.n_steps):
        adam.param_groups[0]["lr"] = _RATE * (1 - step / config.n_steps)
        x, _ = model.sample(_BATCH, stream(config.seed, "batch", step))
        noise = stream(config.seed, "noise", step)
        loss = -iwae(built().log_weights(x, config.n_samples, noise)).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    for part in learned:
        part.requires_grad_(False)
    return built()


def measure(model: LinearVae) -> Array:
    """Every ruler on the held-out data, shape ``(C, n)``; the last one is exact."""
    x = held_out()
    bounds = [log_likelihood(model, x, K, _stream("ruler", K)) for K in TEST_K]
    return torch.stack([*bounds, model.log_marginal(x)]).numpy()


def run(config: RulersConfig) -> RowReport:
    """Train one model and measure it; what a worker process is asked for."""
    return RowReport(n_samples=config.n_samples, seed=config.seed, values=measure(train(config)))


def _stream(*path: str | int) -> torch.Generator:
    return stream(_TRUTH_SEED, "rulers", *path)
