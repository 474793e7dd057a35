r"""Stop a run whose bound on data held out has ceased to rise.

A tenth of the *training* set is left out of training for this: the test set decides nothing. Which
rows, their bits and the noise of the bound follow from the seed alone, so the verdict after an
epoch is a function of the parameters, and a run in slices stops at the same step as one that is
not cut.
"""

import functools
import math

import torch
from torch import Tensor

from iwae_core import datasets
from iwae_core.bounds.objectives import iwae
from iwae_core.models.model import LatentModel
from iwae_core.precision import in_float64
from iwae_core.rng import stream
from iwae_core.training.config import TrainConfig

N_SAMPLES = 16  # K of the held-out bound
MOST_ROWS = 1000
_SHARE = 10  # one row in ten
_ROWS_AT_ONCE = 250


def split_rows(seed: int, n_rows: int) -> tuple[Tensor, Tensor]:
    """Row numbers of the training set to train on, and to hold out."""
    order = torch.randperm(n_rows, generator=stream(seed, "held-out rows"))
    n_held = max(1, min(MOST_ROWS, n_rows // _SHARE))
    return order[n_held:], order[:n_held]


@torch.no_grad()
def held_out_bound(model: LatentModel, config: TrainConfig) -> float:
    """Mean L_16 in nats of the rows held out; equal parameters give equal bounds.

    Parameters that have diverged give -inf: the run's own check says what is wrong with them.
    """
    device = next(model.parameters()).device
    x = _held_out(config.dataset, config.data_folder, config.seed).to(device)
    noise = stream(config.seed, "held-out noise", device=device)
    bounds = [iwae(model.log_weights(rows, N_SAMPLES, noise)) for rows in x.split(_ROWS_AT_ONCE)]
    bound = in_float64(torch.cat(bounds)).mean().item()
    return -math.inf if math.isnan(bound) else bound


@functools.lru_cache(maxsize=8)
def _held_out(dataset: str, data_folder: str | None, seed: int) -> Tensor:
    data = datasets.load(dataset, data_folder)
    x = data.train[split_rows(seed, len(data.train))[1]]
    if data.binary and not data.already_binarized:
        x = datasets.binarize(x, stream(seed, "held-out bits"))
    return x
