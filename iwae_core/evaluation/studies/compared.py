"""Two settings, several seeds: what :mod:`use_cases` measured, put side by side with its spread.

The seeds of both settings are the same, and so are the start, the batches and the bits that belong
to a seed; differences are therefore taken seed by seed. A difference is called *seen* only if it
has one sign at every seed and its mean is larger than two standard errors over the seeds. If there
were none, S seeds would still show one sign with probability 2^(1 - S): 1 in 16 at five seeds, 1
in 4 at three, where the second condition has to do the work.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iwae_core.evaluation.studies.use_cases import LIKELIHOOD_K, Found

Array = NDArray[np.float64]

LEAST_SEEDS = 3  # with fewer no spread can be told
_SURE = 2.0  # standard errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One row of the comparison.

    Attributes:
        case: Which of the five uses it belongs to.
        title: What it is.
        unit: "nats", "%", "", ...; a share is shown in percent.
        better: 1 where more is better, -1 where less is, 0 where neither is.
        decimals: Of its unit.
    """

    case: str
    title: str
    unit: str
    better: int
    decimals: int


_MISS = "log p(x) less L_{} on data it has made itself"
_APART = "annealing less L_{} on held-out data"
MEASURES: Mapping[str, Measure] = {
    "L_5000": Measure(case="likelihood", title="L_5000", unit="nats", better=1, decimals=2),
    "L_64": Measure(case="likelihood", title="L_64", unit="nats", better=1, decimals=2),
    "L_1": Measure(case="likelihood", title="L_1, the ELBO", unit="nats", better=1, decimals=2),
    "active_units": Measure(case="units", title="active units", unit="", better=0, decimals=1),
    "information": Measure(
        case="units", title="information about x", unit="nats", better=0, decimals=2
    ),
    "linear_probe": Measure(
        case="downstream", title="linear probe", unit="%", better=1, decimals=1
    ),
    "few_labels": Measure(
        case="downstream", title="10 labels per class", unit="%", better=1, decimals=1
    ),
    "nmi": Measure(case="clustering", title="NMI", unit="", better=1, decimals=3),
    "ari": Measure(case="clustering", title="ARI", unit="", better=1, decimals=3),
    "width": Measure(
        case="evaluation", title="annealing, upper less lower", unit="nats", better=0, decimals=3
    ),
    **{
        f"miss_{K}": Measure(
            case="evaluation", title=_MISS.format(K), unit="nats", better=-1, decimals=3
        )
        for K in LIKELIHOOD_K
    },
    **{
        f"apart_{K}": Measure(
            case="evaluation", title=_APART.format(K), unit="nats", better=0, decimals=3
        )
        for K in LIKELIHOOD_K
    },
}
CASES: Mapping[str, str] = {
    "likelihood": "Log-likelihood",
    "units": "Active units",
    "downstream": "Downstream tasks",
    "clustering": "Clustering",
    "evaluation": "Evaluating the likelihood",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedReport:
    """Both settings on every measure.

    Attributes:
        made_by: What computed it.
        settings: The two settings and the length of training, as JSON texts.
        seeds: Seeds that both settings have, shape ``(S,)``.
        names: The measures that the data allow, keys of ``MEASURES``.
        values: Shape ``(2, S, M)``: setting, seed, measure; a mean where a measure has a number
            for each datapoint.
        data_error: Standard error of that mean over the datapoints, the same shape; NaN where a
            measure has one number only.
        n_held_out: Held-out datapoints.
        n_annealed: Datapoints of the last use.
    """

    made_by: str
    settings: tuple[str, str]
    seeds: NDArray[np.int64]
    names: tuple[str, ...]
    values: Array
    data_error: Array
    n_held_out: int
    n_annealed: int

    def column(self, name: str) -> Array:
        """One measure of both settings at every seed, shape ``(2, S)``."""
        column: Array = self.values[:, :, self.names.index(name)]
        return column


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """B less A on one measure.

    Attributes:
        mean: Over the seeds.
        low: Smallest of the seeds.
        high: Largest.
        std_error: Over the seeds; NaN with one seed.
        seen: Whether it has one sign at every seed and is larger than two standard errors.
        decidable: Whether there are seeds enough to tell.
    """

    mean: float
    low: float
    high: float
    std_error: float
    seen: bool
    decidable: bool


def measures_of(found: Found) -> dict[str, Array]:
    """The rows of the comparison from what one trial has found: numbers, or one per datapoint."""
    rows = {name: found[name] for name in MEASURES if name in found}
    if "simulated_upper" in found:
        lower, upper = found["simulated_lower"], found["simulated_upper"]
        rows["width"] = upper - lower
        middle = 0.5 * (lower + upper)  # both sides are means over chains, with errors alike
        rows |= {f"miss_{K}": middle - found[f"simulated_L_{K}"] for K in LIKELIHOOD_K}
    if "held_out_lower" in found:
        lower = found["held_out_lower"]
        rows |= {f"apart_{K}": lower - found[f"held_out_L_{K}"] for K in LIKELIHOOD_K}
    return {name: rows[name] for name in MEASURES if name in rows}


def compare(
    first: Mapping[int, Found],
    second: Mapping[int, Found],
    settings: tuple[str, str],
    *,
    made_by: str,
) -> ComparedReport | None:
    """Put what is in side by side, at the seeds that both have; None while there is none.

    Args:
        first: What the trials of setting A found, by seed.
        second: The same of B.
        settings: What A and B are.
        made_by: What computed them.
    """
    seeds = sorted(set(first) & set(second))
    if not seeds:
        return None
    sides = [[measures_of(side[seed]) for seed in seeds] for side in (first, second)]
    names = tuple(name for name in MEASURES if all(name in row for row in _flat(sides)))
    values = [[[float(row[name].mean()) for name in names] for row in side] for side in sides]
    errors = [[[_error(row[name]) for name in names] for row in side] for side in sides]
    found = first[seeds[0]]
    return ComparedReport(
        made_by=made_by,
        settings=settings,
        seeds=np.array(seeds, dtype=np.int64),
        names=names,
        values=np.array(values),
        data_error=np.array(errors),
        n_held_out=len(found["L_5000"]),
        n_annealed=len(found.get("held_out_lower", ())),
    )


def verdict(report: ComparedReport, name: str) -> Verdict:
    """What the seeds say about B less A."""
    first, second = report.column(name)
    apart = second - first
    n = len(apart)
    error = float(apart.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    one_sign = bool((apart > 0).all() or (apart < 0).all())
    decidable = n >= LEAST_SEEDS
    return Verdict(
        mean=float(apart.mean()),
        low=float(apart.min()),
        high=float(apart.max()),
        std_error=error,
        seen=decidable and one_sign and abs(float(apart.mean())) > _SURE * error,
        decidable=decidable,
    )


def _error(values: Array) -> float:
    if values.ndim == 0:
        return math.nan
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _flat(sides: Sequence[Sequence[dict[str, Array]]]) -> list[dict[str, Array]]:
    return [row for side in sides for row in side]
