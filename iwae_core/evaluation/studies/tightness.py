r"""How tight is the bound? L_K against K where log p(x) is known exactly.

    L_K = E[log (1 / K) sum_k w_k],      w_k = p(x, z_k) / q(z_k | x),   z_k ~ q

The model is :class:`LinearGaussian`, so log p(x), the ELBO L_1 and :math:`E_q[w^2]` have closed
forms. One set of N weights serves every K: it is cut into N / K groups, each group is one run of
the bound, and only the brackets move as K grows.

The mean weight of a run, :math:`r = \bar w / p(x)`, has mean exactly one. Where its variance is
below one, ``r - 1`` is subtracted from the run's bound as a control variate: the mean stays the
same, its error falls by up to a factor sqrt(K).
"""

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.rng import stream
from iwae_core.sampling.densities import Gaussian
from iwae_core.sampling.divergences import kl_divergence, log_chi_square_moment

N_WEIGHTS = 2**16
MAX_SAMPLES = 1024  # K
N_GHOSTS = 16  # runs drawn one by one
BAND = (0.05, 0.95)  # quantiles of single runs
APPROXIMATION_LIMIT = 0.1  # relative error of the gap above which the approximation is off

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TightnessConfig:
    """A Gaussian q, told by how it differs from the exact posterior.

    Attributes:
        shift: Distance of the means, in standard deviations of the posterior.
        scale: Factor on every standard deviation.
        correlated: False drops the posterior's correlation: q has the precisions of each
            coordinate given the other, the best that a factorized Gaussian can do for the ELBO.
        seed: Of the draws.
    """

    shift: float = 1.5
    scale: float = 1.0
    correlated: bool = True
    seed: int = 1

    def __post_init__(self) -> None:
        faults = []
        if not abs(self.shift) <= 10:
            faults.append(f"shift must lie within 10 of 0, got {self.shift}")
        if not 0.1 <= self.scale <= 10:
            faults.append(f"scale must lie in [0.1, 10], got {self.scale}")
        if faults:
            raise ValueError("; ".join(faults))


SCENES = {
    "shifted": Scene(
        title="Looks in the wrong place",
        why="q has the posterior's shape, one and a half standard deviations off: the bound "
        "starts 1.125 nats low, and the gap closes about like 1/K once K is in the hundreds.",
        settings=(("shift", 1.5), ("scale", 1.0), ("correlated", True)),
    ),
    "exact": Scene(
        title="q is the exact posterior",
        why="Every weight equals p(x), so the bound is log p(x) for every K and every draw: "
        "with a perfect q the ELBO is already exact and more samples gain nothing.",
        settings=(("shift", 0.0), ("scale", 1.0), ("correlated", True)),
    ),
    "uncorrelated": Scene(
        title="The best factorized q",
        why="Of all Gaussians with independent coordinates this one has the highest ELBO. It is "
        "too narrow along the posterior's long axis, so the weights' variance is infinite: the "
        "gap still closes, but more slowly than 1/K.",
        settings=(("shift", 0.0), ("scale", 1.0), ("correlated", False)),
    ),
    "narrow": Scene(
        title="Too narrow",
        why="q misses the posterior's tails. The ELBO hardly minds, the weights do: their "
        "variance is infinite below a scale of 0.71.",
        settings=(("shift", 0.0), ("scale", 0.6), ("correlated", True)),
    ),
    "wide": Scene(
        title="Too wide",
        why="The lowest ELBO of these scenes, yet the safest: the weights are bounded, and the "
        "gap closes like 1/K almost at once.",
        settings=(("shift", 0.0), ("scale", 2.0), ("correlated", True)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TightnessReport:
    """The bound against K; all in nats, arrays of length J, one entry per K."""

    n_samples: Array  # K
    bound: Array  # L_K
    std_error: Array  # of `bound`
    low: Array  # BAND of single runs
    high: Array
    elbo_low: Array  # BAND of the average of K log weights
    elbo_high: Array
    ghosts: Array  # single runs that gather draws, (J, N_GHOSTS)
    elbo: float  # exact L_1
    log_marginal: float  # exact log p(x)
    relative_variance: float  # Var(w) / p(x)^2; may be inf
    approximate_gap: Array  # relative_variance / (2 K)
    breaks_until: float  # the approximation is off from K = 1 to here; 0 if nowhere


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunsReport:
    """The runs of the bound at one K, each one number; all in nats."""

    n_samples: int  # K
    n_runs: int
    bound: float  # L_K, the mean of the runs
    std_error: float
    gap: float  # log p(x) - L_K
    gap_at_one: float  # exact log p(x) - L_1
    approximate_gap: float
    share_above: float  # of runs that pass log p(x)
    counts: Array  # histogram of the runs, (64,)
    edges: Array  # (65,)


@cache
def oracle() -> tuple[LinearGaussian, Tensor]:
    """The model and its one datapoint x ``(1, 3)``: the posterior's correlation is -0.79."""
    model = LinearGaussian(
        torch.tensor([[1.0, 0.8], [0.4, 0.9], [0.9, 0.6]], dtype=torch.float64),
        torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64),
        0.5,
    )
    return model, torch.tensor([[1.5, 0.4, 0.9]], dtype=torch.float64)


def posterior() -> Gaussian:
    """The exact p(z | x)."""
    model, x = oracle()
    mean, covariance = model.posterior(x)
    return _gaussian(mean[0], covariance)


def make_q(shift: float, scale: float, correlated: bool) -> Gaussian:
    """The proposal q(z | x); see :class:`TightnessConfig`."""
    exact = posterior()
    covariance = exact.covariance
    mean = exact.mean + shift * torch.linalg.cholesky(covariance)[:, 0]
    if not correlated:
        covariance = torch.diag(1 / torch.linalg.inv(covariance).diagonal())
    return _gaussian(mean, scale**2 * covariance)


@lru_cache(maxsize=4)
def log_weights(config: TightnessConfig) -> Tensor:
    """``log p(x, z) - log q(z | x)`` of N_WEIGHTS draws from q, shape ``(N_WEIGHTS,)``."""
    model, x = oracle()
    q = make_q(config.shift, config.scale, config.correlated)
    z = q.sample((N_WEIGHTS,), stream(config.seed, "draws"), torch.float64)
    return model.log_joint(x, z[:, None, :])[:, 0] - q.log_prob(z)


def run(config: TightnessConfig) -> TightnessReport:
    """Work out the bound for K = 1, 2, 4 .. 1024."""
    K_all = [2**power for power in range(MAX_SAMPLES.bit_length())]
    log_w, log_marginal = log_weights(config), exact_log_marginal()
    q = make_q(config.shift, config.scale, config.correlated)
    variance = relative_variance(q)
    bound, std_error, bands, elbo_bands = [], [], [], []
    for K in K_all:
        groups = _groups(log_w, K)
        single = iwae(groups)
        mean, error = mean_of_runs(single, log_marginal, variance / K)
        bound.append(mean)
        std_error.append(error)
        bands.append(np.quantile(single.numpy(), BAND))
        elbo_bands.append(np.quantile(elbo(groups).numpy(), BAND))
    paths = log_w[: MAX_SAMPLES * N_GHOSTS].reshape(MAX_SAMPLES, N_GHOSTS).logcumsumexp(dim=0)
    counts = np.array(K_all, dtype=np.float64)
    approximate_gap = variance / (2 * counts)
    gap = log_marginal - np.array(bound)
    off = (
        np.abs(approximate_gap - gap) > APPROXIMATION_LIMIT * gap + 2 * np.array(std_error) + 1e-9
    )
    return TightnessReport(
        n_samples=counts,
        bound=np.array(bound),
        std_error=np.array(std_error),
        low=np.array(bands)[:, 0],
        high=np.array(bands)[:, 1],
        elbo_low=np.array(elbo_bands)[:, 0],
        elbo_high=np.array(elbo_bands)[:, 1],
        ghosts=paths[[K - 1 for K in K_all]].numpy() - np.log(counts)[:, None],
        elbo=log_marginal - kl_divergence(q, posterior()),
        log_marginal=log_marginal,
        relative_variance=variance,
        approximate_gap=approximate_gap,
        breaks_until=counts[off.cumprod().astype(bool)].max(initial=0.0).item(),
    )


def runs_at(config: TightnessConfig, n_samples: int) -> RunsReport:
    """Look at the single runs of the bound with K = ``n_samples``.

    Raises:
        ValueError: If ``n_samples`` is not in 1 .. MAX_SAMPLES.
    """
    K = n_samples
    if not 1 <= K <= MAX_SAMPLES:
        raise ValueError(f"n_samples must lie in 1..{MAX_SAMPLES}, got {K}")
    log_marginal = exact_log_marginal()
    q = make_q(config.shift, config.scale, config.correlated)
    variance = relative_variance(q)
    single = iwae(_groups(log_weights(config), K))
    mean, error = mean_of_runs(single, log_marginal, variance / K)
    # Rounding must not count a run that equals log p(x) as one that passes it.
    above = single > log_marginal + 1e-12 * abs(log_marginal)
    low, high = np.quantile(single.numpy(), [0.001, 0.999])
    spread = max(high - low, 1e-3)
    edges = np.linspace(low - 0.02 * spread, high + 0.02 * spread, 65)
    return RunsReport(
        n_samples=K,
        n_runs=len(single),
        bound=mean,
        std_error=error,
        gap=log_marginal - mean,
        gap_at_one=kl_divergence(q, posterior()),
        approximate_gap=variance / (2 * K),
        share_above=above.double().mean().item(),
        counts=np.histogram(single.numpy(), edges)[0].astype(np.float64),
        edges=edges,
    )


def _groups(log_w: Tensor, K: int) -> Tensor:
    """Cut the weights into as many whole groups of K as there are, ``(K, N // K)``."""
    n_groups = len(log_w) // K
    return log_w[: n_groups * K].reshape(K, n_groups)


def mean_of_runs(single: Tensor, log_marginal: float, variance: float) -> tuple[float, float]:
    """Mean of single runs ``(R,)`` and its standard error, steadied where that helps.

    Args:
        single: Bounds, one per run, nats.
        log_marginal: Exact log p(x).
        variance: Of a run's mean weight over p(x); below one the control variate is used.
    """
    if variance < 1:
        single = single - torch.expm1(single - log_marginal)
    return single.mean().item(), single.std().item() / math.sqrt(len(single))


def exact_log_marginal() -> float:
    """The oracle's exact log p(x), in nats."""
    model, x = oracle()
    return model.log_marginal(x).item()


def relative_variance(q: Gaussian) -> float:
    """``Var(w) / p(x)^2`` = E_q[(posterior / q)^2] - 1; inf where it does not exist."""
    log_moment = log_chi_square_moment(posterior(), q)
    return max(math.expm1(log_moment), 0.0) if log_moment < 709 else math.inf


def _gaussian(mean: Tensor, covariance: Tensor) -> Gaussian:
    return Gaussian(tuple(mean.tolist()), tuple(map(tuple, covariance.tolist())))
