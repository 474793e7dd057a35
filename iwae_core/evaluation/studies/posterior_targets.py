r"""What a learner may choose for the posterior really used: targets, a round q, named scenes."""

from dataclasses import dataclass

from iwae_core.counts import is_count
from iwae_core.evaluation.posterior import Grid
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.tightness import exact_log_marginal, posterior
from iwae_core.names import check_known
from iwae_core.sampling.densities import Banana, Gaussian, Multivariate, MultivariateMixture
from iwae_core.sampling.densities.derived import ScaledMultivariate
from iwae_core.sampling.densities.shapes import two_modes

MAX_SAMPLES = 1000  # K
N_GRID = 64
HAZE = 0.03  # of the mass, wide and round: no weight is smaller than floats can tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One p(x, z) of a fixed x, as an unnormalized density of z, and where to draw it."""

    title: str
    joint: Multivariate
    grid: Grid
    max_scale: float  # of q


def _in_haze(shape: Multivariate) -> Multivariate:
    """Three percent of the mass in a wide bump, and log p(x) = -2."""
    wide = Gaussian((0.0, 0.0), ((9.0, 0.0), (0.0, 9.0)))
    return ScaledMultivariate(MultivariateMixture((shape, wide), (1 - HAZE, HAZE)), -2.0)


TARGETS: dict[str, Target] = {
    "banana": Target(
        title="Banana",
        joint=_in_haze(Banana(0.8, 1.0, 0.5)),
        grid=Grid(low=(-5.0, -5.0), high=(5.0, 6.5), n=N_GRID),
        max_scale=3.0,
    ),
    "two_modes": Target(
        title="Two modes",
        joint=_in_haze(two_modes(4.0, 0.6, (0.4, 0.6))),
        grid=Grid(low=(-5.5, -5.0), high=(5.5, 5.0), n=N_GRID),
        max_scale=3.0,
    ),
    "linear_gaussian": Target(
        title="Linear-Gaussian",
        joint=ScaledMultivariate(posterior(), exact_log_marginal()),
        grid=Grid(low=(-2.0, -2.2), high=(3.0, 2.8), n=N_GRID),
        max_scale=1.5,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorUsedConfig:
    """A round Gaussian q beside a posterior that is not.

    Attributes:
        target: A name from TARGETS.
        loc_1: First coordinate of q's mean.
        loc_2: Second coordinate.
        scale: Standard deviation of q in every direction.
        n_samples: K.
        seed: Of the resampled draws.
    """

    target: str = "banana"
    loc_1: float = 0.0
    loc_2: float = 0.0
    scale: float = 1.0
    n_samples: int = 10
    seed: int = 1

    def __post_init__(self) -> None:
        check_known(self.target, TARGETS, "target")
        faults = []
        if not max(abs(self.loc_1), abs(self.loc_2)) <= 6:
            faults.append(f"loc must lie within 6 of 0, got {self.loc_1} and {self.loc_2}")
        limit = TARGETS[self.target].max_scale
        if not 0.1 <= self.scale <= limit:
            faults.append(f"scale must lie in [0.1, {limit:g}] here, got {self.scale}")
        if not (is_count(self.n_samples) and self.n_samples <= MAX_SAMPLES):
            faults.append(f"n_samples must lie in 1..{MAX_SAMPLES}, got {self.n_samples}")
        if faults:
            raise ValueError("; ".join(faults))


SCENES = {
    "banana": Scene(
        title="A round q on a banana",
        why="No round Gaussian fits, yet a few draws and their weights do: at K = 10 the contours "
        "are already bent, at K = 100 they are the banana's.",
        settings=(
            ("target", "banana"),
            ("loc_1", 0.0),
            ("loc_2", 0.0),
            ("scale", 1.2),
            ("n_samples", 10),
        ),
    ),
    "covers": Scene(
        title="Two modes, q covers both",
        why="q puts most of its mass where the posterior has none, so its own KL is large. "
        "Weights empty the middle: the posterior really used has both modes.",
        settings=(
            ("target", "two_modes"),
            ("loc_1", 0.4),
            ("loc_2", 0.0),
            ("scale", 1.8),
            ("n_samples", 20),
        ),
    ),
    "one_mode": Scene(
        title="Two modes, q sits on one",
        why="The ELBO's favorite: q fits one mode perfectly. Even 1,000 draws hardly ever visit "
        "the other, and weights cannot bring back what is not drawn.",
        settings=(
            ("target", "two_modes"),
            ("loc_1", 2.0),
            ("loc_2", 0.0),
            ("scale", 0.6),
            ("n_samples", 1000),
        ),
    ),
    "tilted": Scene(
        title="Correlated posterior",
        why="A round q cannot tilt; the weighted one does, because draws along the ridge weigh "
        "more than those beside it.",
        settings=(
            ("target", "linear_gaussian"),
            ("loc_1", 0.6),
            ("loc_2", 0.3),
            ("scale", 0.6),
            ("n_samples", 10),
        ),
    ),
}
