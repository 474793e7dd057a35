"""One board for all cures: error against cost, on the learner's own target.

Every method gets the same budget of K draws and answers the same question R times. Those that draw
from the learner's q share their draws, so they differ by what they do and not by luck, and those
that add a wide density share its draws as well; each row's numbers carry their own standard error
all the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.evaluation.studies import repeats
from iwae_core.evaluation.studies.board_methods import (
    METHODS,
    N_REPEATS,
    BoardConfig,
    Desk,
    draws,
)
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.weighting import problem
from iwae_core.sampling.densities import Mixture, Scaled, Univariate

__all__ = ["METHODS", "N_REPEATS", "SCENES", "BoardConfig", "BoardReport", "Row", "run"]

Array = NDArray[np.float64]

SCENES = {
    "fair": Scene(
        title="A fair proposal",
        why="q covers both modes. The cures cost a little and gain a little, the optimal proposal "
        "shows how much is still to be had.",
        settings=(
            ("family", "normal"),
            ("target", "two_modes"),
            ("loc", 1.0),
            ("scale", 2.5),
            ("integrand", "z"),
        ),
    ),
    "one_mode": Scene(
        title="One mode missed",
        why="q sits on one of two modes. No reweighting finds the other; the defensive mixture "
        "and the second proposal do, with a fifth of the draws.",
        settings=(
            ("family", "normal"),
            ("target", "two_modes"),
            ("loc", -2.0),
            ("scale", 0.8),
            ("integrand", "z"),
        ),
    ),
    "rare": Scene(
        title="A rare event",
        why="P(z > 3) is 1 in 741. Drawing from p sees it rarely; a q moved to the event gets it "
        "to a few percent; the optimal proposal gets it exactly. Self-normalizing spoils it, for "
        "the weights' sum needs the draws that q no longer makes.",
        settings=(
            ("family", "normal"),
            ("target", "standard_normal"),
            ("loc", 3.0),
            ("scale", 1.0),
            ("integrand", "above_3"),
        ),
    ),
    "narrow": Scene(
        title="Too narrow",
        why="The variance is infinite. A fifth of wide draws makes it finite; Pareto smoothing "
        "tames it at the price of a bias; the measured error of plain importance sampling "
        "depends on which rare draws came.",
        settings=(
            ("family", "normal"),
            ("target", "normal"),
            ("loc", 1.0),
            ("scale", 0.5),
            ("integrand", "z_squared"),
        ),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One method: what it costs and how far it is off."""

    key: str
    title: str
    value: Array  # estimates, (R,)
    rmse: float  # root mean square error against the exact answer
    rmse_error: float
    bias: float
    bias_error: float
    true_std: float | None  # exact deviation (for many draws if not linear); None if unknown
    n_draws: int  # of p, q or both
    n_density: int  # evaluations of a density, p and each part of q
    n_copies: int  # draws copied by resampling

    @property
    def cost(self) -> int:
        """Draws, evaluations and copies together."""
        return self.n_draws + self.n_density + self.n_copies


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardReport:
    """All methods that apply, in teaching order."""

    exact: float
    rows: tuple[Row, ...]
    missing: tuple[tuple[str, str], ...]  # title of a method that does not apply, and why


def run(config: BoardConfig) -> BoardReport:
    """Ask every method. About 0.05 s at K = 250, 0.1 s at K = 1000 and above.

    Raises:
        ValueError: As :func:`.weighting.problem`.
    """
    c = config
    asked = problem(c.target, c.family, c.loc, c.scale, c.df, c.integrand)
    desk = Desk(config=c, asked=asked, z=draws(asked.proposal, c))
    rows, missing = [], []
    for key, (title, normalized, method) in METHODS.items():
        if normalized and isinstance(asked.target, Scaled):
            missing.append((title, "needs a normalized target"))
            continue
        try:
            rows.append(_row(desk, key, title, *method(desk)))
        except ValueError as fault:  # no draw hits the support, or weights too large for a float
            missing.append((title, str(fault)))
    return BoardReport(exact=asked.exact, rows=tuple(rows), missing=tuple(missing))


def _row(
    desk: Desk,
    key: str,
    title: str,
    value: Tensor,
    true_std: float | None,
    drawn: Univariate | None,
) -> Row:
    K, values = desk.config.n_samples, value.numpy()
    rmse = repeats.root_mean_square(values - desk.asked.exact)
    bias = repeats.mean(values - desk.asked.exact)
    return Row(
        key=key,
        title=title,
        value=values,
        rmse=rmse.value,
        rmse_error=rmse.std_error,
        bias=bias.value,
        bias_error=bias.std_error,
        true_std=true_std,
        n_draws=K,
        n_density=0 if drawn is None else K * (1 + _n_parts(drawn)),
        n_copies=K if key.startswith("sir_") else 0,
    )


def _n_parts(q: Univariate) -> int:
    return sum(map(_n_parts, q.components)) if isinstance(q, Mixture) else 1
