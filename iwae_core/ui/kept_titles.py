"""What a run is called where nobody has named it, and the tree that runs and branches form."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iwae_core import datasets
from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.runtime.store_record import Record
from iwae_core.ui.fields import readable

# The settings that a change is told by, and how people call them.
_NAMES: Mapping[str, str] = {
    "n_samples": "K",
    "learning_rate": "rate",
    "batch_size": "batch",
    "beta": "beta",
    "free_bits": "free bits",
    "target_rate": "target rate",
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A run in the tree of runs, and how deep it stands."""

    record: Record
    depth: int


def title(record: Record) -> str:
    """The run's name, or what it is."""
    if record.name:
        return record.name
    config = record.past.get("config", {})
    if record.parent_step is not None:
        return f"{_changes(record)}from step {record.parent_step:,}"
    objective = OBJECTIVES.get(str(config.get("objective")))
    data = str(config.get("dataset", ""))
    spec = datasets.DATASETS.get(data)
    what = objective.title if objective else "a run"
    where = spec.title if spec else data.split(".")[0]
    return f"{what}, K = {config.get('n_samples')} on {where}"


def labels(titles: Iterable[tuple[str, str, float]]) -> dict[str, str]:
    """What runs are called in one list, by id: equal titles are numbered, the first begun bare.

    A run keeps its label while it goes on and while others come after it.

    Args:
        titles: The id, the title and the second of the beginning of each.

    >>> labels([("b", "IWAE", 2.0), ("a", "IWAE", 1.0), ("c", "VAE", 3.0)])
    {'a': 'IWAE', 'b': 'IWAE (2)', 'c': 'VAE'}
    """
    found: dict[str, str] = {}
    for one, name, _ in sorted(titles, key=lambda each: each[2]):
        label, n = name, 1
        while label in found.values():
            n += 1
            label = f"{name} ({n})"
        found[one] = label
    return found


def _changes(record: Record) -> str:
    """What a branch did differently at its first step, as ``K = 50 ``."""
    told: dict[str, Any] = {}
    for change in record.past.get("changes", []):
        if change.get("step") == record.parent_step:
            told |= change.get("values", {})
    parts = []
    for name, value in told.items():
        if name == "objective" and value in OBJECTIVES:
            parts.append(OBJECTIVES[value].title)
        elif name in _NAMES:
            shown = readable(value) if isinstance(value, int | float) else str(value)
            parts.append(f"{_NAMES[name]} = {shown}")
        elif name not in ("estimator", "objective_setting"):
            parts.append(f"{name.replace('_', ' ')} = {value}")
    return ", ".join(parts) + (" " if parts else "")


def tree(records: Iterable[Record]) -> list[Leaf]:
    """Runs in the order of a tree: the latest first, each above its branches."""
    given = list(records)
    known = {record.id for record in given}
    below: dict[str | None, list[Record]] = {}
    for record in given:
        parent = record.parent_id if record.parent_id in known else None
        below.setdefault(parent, []).append(record)

    def walk(parent: str | None, depth: int) -> list[Leaf]:
        leaves = []
        for record in below.get(parent, []):
            leaves += [Leaf(record, depth), *walk(record.id, depth + 1)]
        return leaves

    return walk(None, 0)


def common_ancestor(chosen: Sequence[Record], everything: Sequence[Record]) -> int | None:
    """The last step up to which runs are one and the same; None if they never were.

    >>> common_ancestor([], []) is None
    True
    """
    by_id = {record.id: record for record in everything}

    def line(record: Record) -> dict[str, float]:
        """Each run on the way to the root, and the step until which it is this run's past."""
        found, until = {}, float("inf")
        while True:
            found[record.id] = until
            if record.parent_id is None or record.parent_id not in by_id:
                return found
            until = min(until, record.parent_step or 0)
            record = by_id[record.parent_id]

    lines = [line(record) for record in chosen]
    if not lines:
        return None
    shared = set.intersection(*(set(each) for each in lines))
    steps = [min(each[run_id] for each in lines) for run_id in shared]
    finite = [step for step in steps if step != float("inf")]
    return int(max(finite)) if finite else None


def when(seconds: float, now: float) -> str:
    """How long ago, as people say it.

    >>> when(0, 30), when(0, 150), when(0, 7500), when(0, 200_000)
    ('now', '2 min ago', '2 h ago', '1 Jan 1970')
    """
    ago = max(0.0, now - seconds)
    if ago < 60:
        return "now"
    if ago < 3600:
        return f"{ago / 60:.0f} min ago"
    if ago < 86_400:
        return f"{ago / 3600:.0f} h ago"
    day = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return f"{day.day} {day:%b %Y}"
