"""A kept run as its row tells it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iwae_core.runtime.lineage import Change, Lineage
from iwae_core.training import Stop, TrainConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row: a run as the store knows it.

    Attributes:
        id: Unguessable; whoever has it may look at the run.
        owner: Who may change it: a digest of the browser's own secret.
        name: Given by a person; empty for a run nobody named.
        parent_id: The run it was forked from, while that is kept.
        parent_step: Where it was forked.
        created: Seconds since 1970.
        updated: Seconds since 1970 of the last news.
        pair_id: Of one of twins, the id of the first of them, its own included.
        past: The lineage as JSON; :attr:`lineage` reads it.
        step: Updates taken.
        stop: Why it cannot go on as it is, if so.
        bound_1: Held-out L_1 at the last look, nats.
        bound_64: Held-out L_64 at the last look, nats.
    """

    id: str
    owner: str
    name: str = ""
    parent_id: str | None = None
    parent_step: int | None = None
    pair_id: str | None = None
    created: float
    updated: float
    past: Mapping[str, Any]
    step: int = 0
    stop: Stop | None = None
    bound_1: float | None = None
    bound_64: float | None = None

    @property
    def is_kept(self) -> bool:
        """Whether a person asked for it to stay: it has a name, or is a branch."""
        return bool(self.name) or self.parent_step is not None

    @property
    def lineage(self) -> Lineage:
        """The run's past.

        Raises:
            ValueError: If this version of the program does not know its settings.
        """
        return lineage_from_json(self.past)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one browser has in the store.

    Attributes:
        n_kept: Runs that have a name or are branches.
        n_recent: The other runs.
        n_bytes: Of the states of all.
    """

    n_kept: int
    n_recent: int
    n_bytes: int


def lineage_to_json(lineage: Lineage) -> dict[str, Any]:
    """Plain values for JSON."""
    changes = [dataclasses.asdict(change) for change in lineage.changes]
    return {"config": lineage.config.to_json(), "changes": changes}


def lineage_from_json(values: Mapping[str, Any]) -> Lineage:
    """Read what :func:`lineage_to_json` wrote.

    Raises:
        ValueError: If a setting is unknown, a value is refused, or steps stand out of order.
    """
    try:
        lineage = Lineage(TrainConfig.from_json(values["config"]))
        for change in values["changes"]:
            stop = None if change["stop"] is None else Stop(**change["stop"])
            lineage = lineage.changed(change["step"], Change(0, change["values"]).values, stop)
    except (KeyError, TypeError, AttributeError) as fault:
        raise ValueError(f"this is no run's past: {fault!r}") from fault
    return lineage


def to_row(record: Record) -> dict[str, Any]:
    """What stands in the table of runs."""
    row = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    row["lineage"] = row.pop("past")
    row["stop"] = None if record.stop is None else dataclasses.asdict(record.stop)
    return row


def from_row(row: Any) -> Record:
    """Read what :func:`to_row` wrote."""
    values = dict(row._mapping)
    stop = values.pop("stop")
    return Record(
        past=values.pop("lineage"), stop=None if stop is None else Stop(**stop), **values
    )
