r"""K = 1: one bound, three ways to estimate it.

    closed_form_kl  log p(x | z) - KL(q || p(z)), the KL in closed form: the standard VAE
    monte_carlo_kl  log p(x | z) - (log q(z') - log p(z')), the KL from draws z' of its own
    log_weight      log p(x | z) + log p(z) - log q(z) = log w: the IWAE's bound at K = 1

All have the ELBO as their mean. (With z' = z the second is the third, term by term.) They differ
in spread, and which is steadiest depends on q: where q is the exact posterior, log w is log p(x)
for every draw and has no spread at all, while the others keep theirs. The same cancellation is
what the gradient estimator "sticking the landing" rescues for the gradient.

Means and spreads are exact, by quadrature over the Gaussian q.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.counts import is_count
from iwae_core.evaluation.studies.expected import normal_nodes
from iwae_core.evaluation.studies.scene import Scene
from iwae_core.evaluation.studies.tightness import (
    TightnessConfig,
    exact_log_marginal,
    make_q,
    oracle,
    posterior,
)
from iwae_core.models.networks import standard_normal_log_prob
from iwae_core.rng import stream
from iwae_core.sampling.densities import Gaussian
from iwae_core.sampling.divergences import kl_divergence

MAX_DRAWS = 4096
N_BINS = 60
_PRIOR = Gaussian((0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)))

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ElboWaysConfig(TightnessConfig):
    """q as in :class:`TightnessConfig`.

    Attributes:
        n_draws: Draws that each way averages; K stays 1.
    """

    n_draws: int = 256

    def __post_init__(self) -> None:
        TightnessConfig.__post_init__(self)
        if not (is_count(self.n_draws, 2) and self.n_draws <= MAX_DRAWS):
            raise ValueError(f"n_draws must lie in 2..{MAX_DRAWS}, got {self.n_draws}")


SCENES = {
    "shifted": Scene(
        title="Looks in the wrong place",
        why="All three agree on the ELBO, 1.125 nats below log p(x); they differ in how many "
        "draws they need to say so.",
        settings=(("shift", 1.5), ("scale", 1.0), ("correlated", True)),
    ),
    "exact": Scene(
        title="q is the exact posterior",
        why="log w is log p(x) at every draw: no spread. The closed-form KL, usually the "
        "steadier choice, is the noisier one here, since what it leaves to chance no longer "
        "cancels.",
        settings=(("shift", 0.0), ("scale", 1.0), ("correlated", True)),
    ),
    "wide": Scene(
        title="Too wide",
        why="All three are about equally noisy: the noise is in log p(x | z), which dives at far "
        "draws, and no way of writing the KL takes it away.",
        settings=(("shift", 0.0), ("scale", 2.0), ("correlated", True)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """One estimator of the ELBO; nats.

    Attributes:
        name: "closed_form_kl", "monte_carlo_kl" or "log_weight".
        title: Name for people.
        value: Mean of the draws.
        std_error: Of ``value``, from the draws.
        spread: Exact standard deviation of one draw.
        draws: One estimate per draw, ``(n_draws,)``.
        counts: Their histogram on the report's ``edges``.
    """

    name: str
    title: str
    value: float
    std_error: float
    spread: float
    draws: Array
    counts: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ElboWaysReport:
    """Three estimates of one number, and what they are made of; nats.

    Attributes:
        ways: The three.
        edges: Shared edges of the histograms, ``(61,)``.
        elbo: Exact.
        log_marginal: Exact log p(x).
        kl_to_prior: Closed form of KL(q || p(z)).
        kl_to_prior_hat: Its Monte-Carlo estimate.
        kl_to_prior_error: Standard error of that.
        reconstruction: Exact E_q[log p(x | z)].
        reconstruction_hat: Its Monte-Carlo estimate.
        reconstruction_error: Standard error of that.
        gradient_spread: Standard deviation of one draw's gradient of log w for q's mean, root of
            the summed variances of both coordinates: the reparameterized estimator.
        path_gradient_spread: The same without q's score (sticking the landing): zero where
            q has the posterior's covariance; where q is the posterior, that gradient is zero too.
    """

    ways: tuple[Way, ...]
    edges: Array
    elbo: float
    log_marginal: float
    kl_to_prior: float
    kl_to_prior_hat: float
    kl_to_prior_error: float
    reconstruction: float
    reconstruction_hat: float
    reconstruction_error: float
    gradient_spread: float
    path_gradient_spread: float

    def way(self, name: str) -> Way:
        """The way of that name.

        Raises:
            ValueError: If there is none.
        """
        for way in self.ways:
            if way.name == name:
                return way
        raise ValueError(f"no way {name!r}; there are {[way.name for way in self.ways]}")


def run(config: ElboWaysConfig) -> ElboWaysReport:
    """Estimate the ELBO in three ways."""
    q = make_q(config.shift, config.scale, config.correlated)
    kl_to_prior = kl_divergence(q, _PRIOR)
    draw = stream(config.seed, "ways")
    shape = (config.n_draws,)
    likelihood, over_prior = _terms(q, q.sample(shape, draw, torch.float64))
    _, over_prior_apart = _terms(q, q.sample(shape, draw, torch.float64))
    eps, probability = normal_nodes(2)
    node_likelihood, node_over_prior = _terms(q, q.from_noise(eps))
    kl_spread = _spread(node_over_prior, probability)
    likelihood_spread = _spread(node_likelihood, probability)
    found = (
        (
            "closed_form_kl",
            "Closed-form KL (VAE)",
            likelihood - kl_to_prior,
            likelihood_spread,
        ),
        (
            "monte_carlo_kl",
            "Monte-Carlo KL",
            likelihood - over_prior_apart,
            math.hypot(likelihood_spread, kl_spread),
        ),
        (
            "log_weight",
            "Mean of log w (IWAE, K = 1)",
            likelihood - over_prior,
            _spread(node_likelihood - node_over_prior, probability),
        ),
    )
    everything = torch.cat([draws for _, _, draws, _ in found]).numpy()
    low, high = np.quantile(everything, [0.005, 0.995])
    edges = np.linspace(low - 0.1, high + 0.1, N_BINS + 1)
    plain, path = _gradient_spreads(q, q.from_noise(eps), probability)
    log_marginal = exact_log_marginal()
    return ElboWaysReport(
        ways=tuple(
            Way(
                name=name,
                title=title,
                value=draws.mean().item(),
                std_error=_error(draws),
                spread=spread,
                draws=draws.numpy(),
                counts=np.histogram(np.clip(draws.numpy(), low, high), edges)[0].astype(
                    np.float64
                ),
            )
            for name, title, draws, spread in found
        ),
        edges=edges,
        elbo=log_marginal - kl_divergence(q, posterior()),
        log_marginal=log_marginal,
        kl_to_prior=kl_to_prior,
        kl_to_prior_hat=over_prior_apart.mean().item(),
        kl_to_prior_error=_error(over_prior_apart),
        reconstruction=(probability @ node_likelihood).item(),
        reconstruction_hat=likelihood.mean().item(),
        reconstruction_error=_error(likelihood),
        gradient_spread=plain,
        path_gradient_spread=path,
    )


def _terms(q: Gaussian, z: Tensor) -> tuple[Tensor, Tensor]:
    """``log p(x | z)`` and ``log q(z) - log p(z)`` of draws ``(n, 2)``."""
    model, x = oracle()
    log_prior = standard_normal_log_prob(z)
    return model.log_joint(x, z[:, None, :])[:, 0] - log_prior, q.log_prob(z) - log_prior


def _gradient_spreads(q: Gaussian, z: Tensor, probability: Tensor) -> tuple[float, float]:
    """Spread of d log w / d mean, with and without the score of q.

    Draws move with the mean, and log q at the moving draw does not change: the whole derivative is
    the slope of log p(x, z). Sticking the landing keeps q's parameters fixed and subtracts the
    slope of log q, whose mean is zero.
    """
    model, x = oracle()
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(model.log_joint(x, z[:, None, :]).sum(), z)
        (slope_q,) = torch.autograd.grad(q.log_prob(z).sum(), z)

    def spread(values: Tensor) -> float:
        return math.hypot(*(_spread(column, probability) for column in values.T))

    return spread(slope), spread(slope - slope_q)


def _spread(values: Tensor, probability: Tensor) -> float:
    """Exact standard deviation from values at the nodes."""
    centered = values - probability @ values
    return math.sqrt((probability @ centered.square()).item())


def _error(draws: Tensor) -> float:
    return draws.std().item() / math.sqrt(len(draws))
