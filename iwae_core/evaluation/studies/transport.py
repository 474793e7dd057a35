r"""The same draws under every location and scale: what a browser needs to move them with q.

A draw of a proposal is :math:`z = \mu + \sigma x` with x fixed by the noise, so a picture can
follow the hand without new noise and without the proposal's quantiles. x depends on the degrees of
freedom of a Student t; it is given for a ladder of them. A draw from the wide part of a defensive
mixture does not move at all.

``moved(noise, family, loc, scale, df)`` equals, to the last bit or two, what :mod:`.weighting`
draws for the same seed; a test holds that, and another holds the browser to it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from iwae_core.evaluation.studies.choices import FAMILIES, SAFE, SAFE_SHARE
from iwae_core.names import check_known
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling.densities import StudentT
from iwae_core.sampling.densities.mixing import choose

DF_STOPS = (1.0, 2.0, 3.0, 5.0, 10.0, 30.0)
TAILED = ("normal", "student_t")

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Noise:
    """Standardized draws of one family.

    Normal and Student t share their rows, so that a hand may go from one to the other.

    Attributes:
        df: Degrees of freedom of the first rows; empty for a family that has none.
        x: Standardized draws, shape ``(len(df) + 1, K)``; the last row has no degrees of freedom.
        fixed: Where a draw stays wherever q goes, its place; NaN for those that move, ``(K,)``.
    """

    df: tuple[float, ...]
    x: Array
    fixed: Array


@lru_cache(maxsize=32)
def noise(family: str, n_samples: int, seed: int, df: float) -> Noise:
    """The noise of one run of :mod:`.weighting`.

    Args:
        family: One of ``choices.FAMILIES``.
        n_samples: K.
        seed: Of the run.
        df: Degrees of freedom that must be among the rows, beside DF_STOPS.

    Raises:
        ValueError: If the family is unknown or ``n_samples`` is below 1.
    """
    check_known(family, FAMILIES, "family")
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, got {n_samples}")
    generator = stream(seed, "draws")
    fixed = torch.full((n_samples,), torch.nan, dtype=torch.float64)
    if family == "defensive":  # in the order in which a mixture draws
        chosen = choose((1 - SAFE_SHARE, SAFE_SHARE), (n_samples,), generator)
        eps = standard_normal((n_samples,), generator, torch.float64)
        fixed = torch.where(chosen == 1, SAFE.from_noise(eps), fixed)
        return Noise(df=(), x=eps[None].numpy(), fixed=fixed.numpy())
    eps = standard_normal((n_samples,), generator, torch.float64)
    if family in TAILED:
        stops = tuple(sorted({*DF_STOPS, df}))
        rows = [StudentT(0.0, 1.0, stop).from_noise(eps) for stop in stops]
        return Noise(df=stops, x=torch.stack([*rows, eps]).numpy(), fixed=fixed.numpy())
    standard = FAMILIES[family].made(0.0, 1.0, df)
    return Noise(df=(), x=standard.from_noise(eps)[None].numpy(), fixed=fixed.numpy())


def moved(given: Noise, family: str, loc: float, scale: float, df: float) -> Array:
    """The draws under one setting of q, shape ``(K,)``."""
    row = given.df.index(df) if family == "student_t" else -1
    return np.where(np.isnan(given.fixed), loc + scale * given.x[row], given.fixed)
