"""Numbers of trained models behind a claim, from the files in which benchmarks keep them.

``assets/evidence/training.json`` by ``benchmarks/claims_evidence.py``, and the five uses of the
page *Twins*, ``assets/studies/twins_vae_iwae.json`` by ``python -m iwae_core.ui.twins_ship``.
"""

import json
from functools import cache
from typing import Any

from iwae_core.evaluation.studies import saved
from iwae_core.evaluation.studies.compared import MEASURES, ComparedReport, verdict
from iwae_core.evaluation.studies.finding import Finding
from iwae_core.places import ASSETS

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


def trained(
    quantities: tuple[str, ...],
    methods: tuple[str, ...],
    *,
    decoder: str = "mlp",
    unit: str = "",
) -> tuple[Finding, ...]:
    """Some quantities of some methods, from the benchmark's table."""
    account = training_account()
    seeds = ", ".join(map(str, account["seeds"]))
    table = training_table()[decoder]
    kind = ", autoregressive" if decoder == "autoregressive" else ""
    return tuple(
        Finding(
            label=f"{_TITLES[method]}{kind}: {_words(quantity)}",
            value=table[method][quantity]["mean"],
            unit=unit,
            spread=(table[method][quantity]["min"], table[method][quantity]["max"]),
            measured=f"benchmarks/{account['benchmark']}.py ({account['dataset']}, "
            f"{account['steps']} steps, seeds {seeds})",
        )
        for method in methods
        for quantity in quantities
    )


def paired(*measures: str) -> tuple[Finding, ...]:
    """The IWAE less the VAE on measures of the page *Twins*, seed by seed."""
    report = twins()
    steps = json.loads(report.settings[0])["n_steps"]
    return tuple(
        Finding(
            label=f"Twins, IWAE (K = 5) less VAE: {MEASURES[name].title}",
            value=seen.mean,
            unit="" if MEASURES[name].unit == "%" else MEASURES[name].unit,
            spread=(seen.low, seen.high),
            measured=f"{report.made_by} (digits, {report.n_held_out} held out, {steps} steps, "
            f"seeds {', '.join(map(str, report.seeds))})",
        )
        for name in measures
        for seen in (verdict(report, name),)
    )


@cache
def twins() -> ComparedReport:
    """The five uses of a VAE and an IWAE, as the page *Twins* ships them."""
    text = (ASSETS / "studies" / "twins_vae_iwae.json").read_text("utf-8")
    return saved.from_json(ComparedReport, text)


def _words(quantity: str) -> str:
    return quantity.replace("_", " ").replace("L ", "L_")
