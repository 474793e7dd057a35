"""The numbers behind "Claims, tested": each function computes a few, or reads a benchmark's.

What needs training is read from files in ``assets``, see :mod:`.evidence_trained`; everything else
is worked out here, in seconds.
"""

import math
from collections.abc import Callable

import torch

from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.evaluation.studies import coins, contributions, elbo_ways, weighting
from iwae_core.evaluation.studies.evidence_trained import paired, trained
from iwae_core.evaluation.studies.expected import oracle_law
from iwae_core.evaluation.studies.finding import Finding
from iwae_core.evaluation.studies.gradient_oracle import ENCODER, Point, exact_moments
from iwae_core.evaluation.studies.posterior_trained import trained as trained_posteriors
from iwae_core.evaluation.studies.side_by_side import SideBySideConfig, count
from iwae_core.evaluation.studies.tightness import exact_log_marginal, make_q, posterior
from iwae_core.models.linear_vae import optimum, predict
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling.densities import Normal, Product
from iwae_core.sampling.divergences import chi_square_moment, kl_divergence
from iwae_core.sampling.weights import normalize

SEED = 1  # of what is drawn


def _weights_correct() -> tuple[Finding, ...]:
    good = weighting.run(weighting.WeightingConfig(seed=2))  # a typical draw
    narrow = Normal(0.0, 0.5)
    return (
        Finding(label="E[z] under N(1, 1), exactly", value=good.exact),
        Finding(
            label="from 128 weighted draws of N(0.5, 1.5²)",
            value=good.estimate,
            std_error=good.std_error,
        ),
        Finding(
            label="mean square weight of N(0, 1) over N(0, 0.5²)",
            value=chi_square_moment(Normal(0.0, 1.0), narrow),
        ),
    )


def _hard_to_sample() -> tuple[Finding, ...]:
    p, q = Normal(0.0, 1.0), Normal(0.0, 1.25)
    return tuple(
        Finding(
            label=f"effective share of draws at d = {dim}, q a quarter too wide",
            value=1 / chi_square_moment(Product(p, dim), Product(q, dim)),
        )
        for dim in (1, 10, 100)
    )


def _no_weights_in_the_vae() -> tuple[Finding, ...]:
    one = contributions.run(contributions.ContributionsConfig(n_samples=1, seed=SEED))
    apart = float(abs(one.vae_sum - one.iwae_sum).max())
    weight = normalize(torch.from_numpy(one.log_w))[0].item()
    return (
        Finding(label="normalized weight of a single sample", value=weight),
        Finding(label="largest difference of the two gradients at K = 1", value=apart),
    )


def _inside_the_log() -> tuple[Finding, ...]:
    log_w = torch.tensor([0.0, 2.0], dtype=torch.float64)
    return (
        Finding(label="log weights 0 and 2: mean of the logs", value=elbo(log_w).item()),
        Finding(label="log of the mean", value=iwae(log_w).item()),
    )


def _one_is_the_elbo() -> tuple[Finding, ...]:
    report = elbo_ways.run(elbo_ways.ElboWaysConfig(n_draws=4096, seed=SEED))
    first = coins.run(coins.CoinsConfig(seed=SEED)).expected[0]
    return (
        Finding(label="ELBO, exactly", value=report.elbo, unit="nats"),
        Finding(label="L_1, exactly", value=float(first), unit="nats"),
        *(
            Finding(
                label=f"{way.title}, 4096 draws",
                value=way.value,
                unit="nats",
                std_error=way.std_error,
            )
            for way in report.ways
        ),
    )


def _tightens() -> tuple[Finding, ...]:
    sizes = (1, 10, 100, 1000, 10_000)
    gaps = exact_log_marginal() - oracle_law(1.5, 1.0, True).bound(sizes)
    row = coins.run(coins.CoinsConfig(seed=SEED))
    share = float(row.share_above[-1])
    return (
        *(
            Finding(label=f"log p(x) - L_K at K = {K}", value=gap, unit="nats")
            for K, gap in zip(sizes, gaps.tolist(), strict=True)
        ),
        Finding(
            label=f"share of {row.n_sets} single runs above log p(x) at K = 64",
            value=share,
            std_error=math.sqrt(share * (1 - share) / row.n_sets),
        ),
    )


def _elbo_below() -> tuple[Finding, ...]:
    return tuple(
        Finding(
            label=f"log p(x) - ELBO, {what}",
            value=kl_divergence(make_q(*settings), posterior()),
            unit="nats",
        )
        for what, settings in (
            ("q 1.5 standard deviations off", (1.5, 1.0, True)),
            ("q the best factorized one", (0.0, 1.0, False)),
            ("q the exact posterior", (0.0, 1.0, True)),
        )
    )


def _posterior_better() -> tuple[Finding, ...]:
    report = trained_posteriors("banana", 10, SEED)
    return tuple(
        Finding(label=f"{what}, q trained by {how}", value=value, unit="nats")
        for how, used in (("the ELBO", report.by_elbo), ("L_10", report.by_iwae))
        for what, value in (("KL(q || p)", used.kl_q), ("KL(q_10 || p)", used.kl_used))
    )


def _encoder_gradient() -> tuple[Finding, ...]:
    sizes = (1, 16, 256)
    found = []
    for name, title in (
        ("reparameterized", "plain IWAE"),
        ("doubly_reparameterized", "doubly reparameterized"),
    ):
        mean, std = exact_moments(Point(1.0, 1.3), name, sizes)
        for K, snr in zip(sizes, (abs(mean) / std)[:, ENCODER].mean(axis=1), strict=True):
            label = f"signal-to-noise of the encoder's gradient, {title}, K = {K}"
            found.append(Finding(label=label, value=float(snr)))
    return tuple(found)


def _collapse() -> tuple[Finding, ...]:
    # Eigenvalues of the data on both sides of the decoder's variance, which is one.
    eigenvalues, d = torch.tensor([4.0, 2.0, 0.8, 0.5, 0.3], dtype=torch.float64), 4
    best = optimum(eigenvalues.diag(), torch.zeros(5, dtype=torch.float64), d, 1.0)
    x = standard_normal((100, 5), stream(SEED, "data"), torch.float64) * eigenvalues.sqrt()
    log_w = best.log_weights(x, 64, stream(SEED, "noise"))
    gained = float((iwae(log_w) - elbo(log_w)).max())
    collapsed = d - predict(eigenvalues.diag(), d, 1.0).n_active
    return (
        Finding(label=f"linear VAE at its optimum: collapsed latents of {d}", value=collapsed),
        Finding(label="there, largest L_64 - L_1 of 100 datapoints", value=gained, unit="nats"),
        *trained(
            ("active_units", "mutual_information", "L_1000"), _METHODS, decoder="autoregressive"
        ),
    )


def _accurate_likelihood() -> tuple[Finding, ...]:
    sizes = (1, 64, 5000)
    gaps = exact_log_marginal() - oracle_law(0.0, 1.0, False).bound(sizes)
    exact = (
        Finding(label=f"oracle: log p(x) - L_K at K = {K}", value=gap, unit="nats")
        for K, gap in zip(sizes, gaps.tolist(), strict=True)
    )
    return (
        *exact,
        *trained(("L_1", "L_64", "L_1000"), ("vae",), unit="nats"),
        *trained(("L_1", "L_64", "L_1000"), ("iwae_50",), unit="nats"),
    )


def _same_model() -> tuple[Finding, ...]:
    lines, differing = count(SideBySideConfig())
    return (
        Finding(label="lines of the two smallest scripts", value=lines),
        Finding(label="of them differing", value=differing),
        *trained(("L_1", "L_64"), ("vae", "iwae_5"), unit="nats"),
    )


_METHODS = ("vae", "iwae_5", "iwae_50")

EVIDENCE: dict[str, Callable[[], tuple[Finding, ...]]] = {
    "weights_correct": _weights_correct,
    "hard_to_sample": _hard_to_sample,
    "no_weights_in_the_vae": _no_weights_in_the_vae,
    "inside_the_log": _inside_the_log,
    "one_is_the_elbo": _one_is_the_elbo,
    "tightens": _tightens,
    "elbo_below": _elbo_below,
    "posterior_better": _posterior_better,
    "encoder_gradient": _encoder_gradient,
    "richer_latents": lambda: (
        *trained(("active_units", "mutual_information"), _METHODS),
        *paired("active_units", "information"),
    ),
    "collapse": _collapse,
    "better_model": lambda: (
        *trained(("L_1", "L_1000"), _METHODS, unit="nats"),
        *paired("L_1", "L_5000"),
    ),
    "downstream": lambda: (
        *trained(("linear_probe", "five_labels_per_class", "clustering_nmi"), ("vae", "iwae_50")),
        *paired("linear_probe", "few_labels", "nmi"),
        *trained(("linear_probe",), ("vae", "iwae_50"), decoder="autoregressive"),
    ),
    "accurate_likelihood": _accurate_likelihood,
    "same_model": _same_model,
}
# Claims whose numbers take from a tenth of a second to ten seconds.
SLOW = (
    *("weights_correct", "no_weights_in_the_vae", "one_is_the_elbo", "tightens", "elbo_below"),
    *("posterior_better", "encoder_gradient", "accurate_likelihood"),
)
