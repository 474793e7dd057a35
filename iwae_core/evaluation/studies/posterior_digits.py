r"""The posterior really used by two trained networks, for one handwritten digit at a time.

Two networks with two latent coordinates begin alike and see the same batches; one climbs the
ELBO, the other :math:`\mathcal L_{50}`. Each has its own decoder, hence its own exact posterior,
which in two coordinates is a table. ``assets/pretrained/make.py`` trains them.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core import datasets
from iwae_core.counts import is_count
from iwae_core.datasets.dataset import binarize
from iwae_core.evaluation.posterior import Grid, exact_posterior
from iwae_core.evaluation.studies.posterior_ground import Encoding, Ground, fitted_grid, ground
from iwae_core.evaluation.studies.posterior_used import PosteriorUsedReport, kl_of_used, used
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.rng import stream

NETWORKS = {"digits_elbo": 1, "digits_iwae": 50}  # K of their training
N_DIGITS = 297  # of the test set
CURVE = (1, 10, 50)  # K of the averages over digits
STEP = 0.15  # of the rule over q: some posteriors are much narrower than their q
_N_DRAWN = 96  # cells of a picture's side
_DEEP = 8.0  # nats below the peak, where a picture ends
_BITS = 1  # seed that decides the pixels of every digit

SCENES = {
    "as_trained": Scene(
        title="A 2, with 50 draws",
        why="Alone the right q is 5.9 nats from its posterior, the left one 2.6. With the 50 "
        "draws that it was trained for 0.005 are left, of the left one 0.044: what is too wide, "
        "weights can mend.",
        settings=(("digit", 0), ("n_samples", 50)),
    ),
    "alone": Scene(
        title="A 5, with one draw",
        why="One draw has no others to weigh it against: what is used is q itself. The ELBO "
        "trained the left one for just that: 0.036 nats. The right one was never meant to "
        "be used alone: 9.0.",
        settings=(("digit", 5), ("n_samples", 1)),
    ),
    "missed": Scene(
        title="A 1 that q misses",
        why="Most of the left posterior lies where its q hardly ever draws: of 5.2 nats 50 draws "
        "leave 1.2, for weights cannot bring back what is not drawn. The right one keeps 0.009 of "
        "5.0.",
        settings=(("digit", 9), ("n_samples", 50)),
    ),
    "other_way": Scene(
        title="A 6, the other way",
        why="Single digits differ. Here the right q starts 7.2 nats away, and 50 draws are too "
        "few to mend all: 0.099 are left, of the left one 0.006; its log p(x) is higher, too.",
        settings=(("digit", 1), ("n_samples", 50)),
    ),
}

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DigitDivergences:
    """How far the posterior used is from the exact one, for one digit and every K of CURVE."""

    log_marginal: float  # log p(x), nats
    kl_used: Array  # KL(q_K || p) in nats, (len(CURVE),); the first is KL(q || p)
    bound: Array  # L_K in nats, (len(CURVE),); the first is the ELBO


def digit(index: int) -> Tensor:
    """One test digit as black and white pixels, ``(1, 64)`` float64; the same at every call.

    Raises:
        ValueError: If there is no such digit.
    """
    if not (is_count(index, 0) and index < N_DIGITS):
        raise ValueError(f"index must lie in 0..{N_DIGITS - 1}, got {index!r}")
    gray = datasets.load("digits").test[index : index + 1].double()
    return binarize(gray, stream(_BITS, "digit", index))


def of_digit(
    model: Encoding, index: int, n_samples: int, generator: torch.Generator | None
) -> PosteriorUsedReport:
    """What K samples make of an encoder's q for one test digit.

    Args:
        model: With two latent coordinates, in float64.
        index: Of the digit in the test set.
        n_samples: K.
        generator: Of the resampled draws; None for none.
    """
    return used(_ground(cast(Hashable, model), index), n_samples, generator)


def divergences(model: Encoding, index: int) -> DigitDivergences:
    """KL(q_K || p) of one test digit for every K of CURVE, by quadrature."""
    on = _ground(cast(Hashable, model), index)
    return DigitDivergences(
        log_marginal=on.log_marginal,
        kl_used=np.array([kl_of_used(on.law, K, on.log_marginal) for K in CURVE]),
        bound=on.law.bound(CURVE).numpy(),
    )


@lru_cache(maxsize=64)
def _ground(model: Any, index: int) -> Ground:
    """q, a grid to draw it and the posterior on, and log p(x) from a wider and finer grid."""
    x = digit(index)
    with torch.no_grad():
        q = model.posterior(x)
    wide = fitted_grid(model, x, q)
    fine = Grid(low=wide.low, high=wide.high, n=3 * wide.n)
    p = exact_posterior(model, x, fine)
    held = fine.points()[torch.from_numpy(p.log_density).flatten() > p.log_density.max() - _DEEP]
    low = torch.minimum(held.amin(dim=0), q.loc[0] - 3 * q.scale[0])
    high = torch.maximum(held.amax(dim=0), q.loc[0] + 3 * q.scale[0])
    drawn = Grid(low=_pair(low), high=_pair(high), n=_N_DRAWN)
    return ground(model, x, q, drawn, log_marginal=p.log_normalizer, step=STEP)


def _pair(corner: Tensor) -> tuple[float, float]:
    first, second = corner.tolist()
    return first, second
