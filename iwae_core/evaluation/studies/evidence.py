"""The numbers behind "Claims, tested": each function computes a few, or reads a benchmark's.

What needs training is measured by ``benchmarks/claims_evidence.py`` and kept in
``assets/evidence/training.json``; everything else is worked out here, in seconds.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.evaluation.studies import coins, contributions, elbo_ways, weighting
from iwae_core.evaluation.studies.expected import oracle_law
from iwae_core.evaluation.studies.gradient_oracle import ENCODER, Point, exact_moments
from iwae_core.evaluation.studies.posterior_trained import trained
from iwae_core.evaluation.studies.tightness import exact_log_marginal, make_q, posterior
from iwae_core.places import ASSETS
from iwae_core.sampling.densities import Normal, Product
from iwae_core.sampling.divergences import chi_square_moment, kl_divergence
from iwae_core.sampling.weights import normalize

SEED = 1  # of what is drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One measured number.

    Attributes:
        label: What it is.
        value: The number.
        unit: "nats", "", ...
        std_error: Standard error of a number that was drawn, or None.
        spread: Lowest and highest over the seeds of trained models, or None. With neither of the
            two the number is exact: a closed form, quadrature, or a count.
    """

    label: str
    value: float
    unit: str = ""
    std_error: float | None = None
    spread: tuple[float, float] | None = None


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
    p, q = Normal(0.0, 1.0), Normal(0.0, 1.3)
    return tuple(
        Finding(
            label=f"effective share of draws in {dim} dimensions",
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
    report = trained("banana", 10, SEED)
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


def _accurate_likelihood() -> tuple[Finding, ...]:
    sizes = (1, 64, 5000)
    gaps = exact_log_marginal() - oracle_law(0.0, 1.0, False).bound(sizes)
    exact = (
        Finding(label=f"oracle: log p(x) - L_K at K = {K}", value=gap, unit="nats")
        for K, gap in zip(sizes, gaps.tolist(), strict=True)
    )
    return (
        *exact,
        *_trained(("L_1", "L_64", "L_1000"), ("vae",), unit="nats"),
        *_trained(("L_1", "L_64", "L_1000"), ("iwae_50",), unit="nats"),
    )


def _same_model() -> tuple[Finding, ...]:
    scripts = [
        (ASSETS / "code" / f"side_by_side_{name}.py").read_text("utf-8").splitlines()[1:]
        for name in ("vae", "iwae")
    ]
    lines = len(scripts[0])
    differing = sum(a != b for a, b in zip(*scripts, strict=True))
    return (
        Finding(label="lines of the two smallest scripts", value=lines),
        Finding(label="of them differing", value=differing),
        *_trained(("L_1", "L_64"), ("vae", "iwae_5"), unit="nats"),
    )


_TITLES = {
    "vae": "VAE",
    "vae_5": "VAE, 5 samples",
    "iwae_5": "IWAE, K = 5",
    "iwae_50": "IWAE, K = 50",
    "iwae_5_dreg": "IWAE, K = 5, doubly reparameterized",
}


def training_table() -> dict[str, Any]:
    """What the benchmark measured: decoder, then method, then quantity.

    Raises:
        ValueError: If the file is missing: run ``benchmarks/claims_evidence.py``.
    """
    table: dict[str, Any] = training_account()["table"]
    return table


@cache
def training_account() -> dict[str, Any]:
    """The benchmark's file: what was trained and how, and the table.

    Raises:
        ValueError: If the file is missing: run ``benchmarks/claims_evidence.py``.
    """
    path = ASSETS / "evidence" / "training.json"
    if not path.is_file():
        raise ValueError(f"no {path.name} in assets/evidence: run benchmarks/claims_evidence.py")
    account: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return account


def _trained(
    quantities: tuple[str, ...],
    methods: tuple[str, ...],
    *,
    decoder: str = "mlp",
    unit: str = "",
) -> tuple[Finding, ...]:
    table = training_table()[decoder]
    return tuple(
        Finding(
            label=f"{_TITLES[method]}: {quantity.replace('_', ' ').replace('L ', 'L_')}",
            value=table[method][quantity]["mean"],
            unit=unit,
            spread=(table[method][quantity]["min"], table[method][quantity]["max"]),
        )
        for method in methods
        for quantity in quantities
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
    "richer_latents": lambda: _trained(("active_units", "mutual_information"), _METHODS),
    "collapse": lambda: _trained(
        ("active_units", "mutual_information", "L_1000"), _METHODS, decoder="autoregressive"
    ),
    "better_model": lambda: _trained(("L_1", "L_1000"), _METHODS, unit="nats"),
    "downstream": lambda: _trained(
        ("linear_probe", "nearest_neighbors", "clustering_nmi", "five_labels_per_class"), _METHODS
    ),
    "accurate_likelihood": _accurate_likelihood,
    "same_model": _same_model,
}
# Claims whose numbers take from a tenth of a second to ten seconds.
SLOW = (
    *("weights_correct", "no_weights_in_the_vae", "one_is_the_elbo", "tightens", "elbo_below"),
    *("posterior_better", "encoder_gradient", "accurate_likelihood"),
)
FROM_TRAINING = (
    *("richer_latents", "collapse", "better_model", "downstream"),
    *("accurate_likelihood", "same_model"),
)
