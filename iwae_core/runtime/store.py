r"""Runs that outlive their server: a row each in a database, and states in files beside it.

A row holds the run's lineage and how far it came; that is enough to have the run again
(:mod:`iwae_core.runtime.lineage`), so it is written often and is small. States and curves only
shorten the replay; they are files, written less often.

    <folder>/<run id>/<step>/state.json, state-<digest>.safetensors    see training.checkpoint
    <folder>/<run id>/curves.safetensors                               up to the last kept state
"""

import dataclasses
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import safetensors.numpy
import sqlalchemy as sa
from numpy.typing import NDArray
from safetensors import SafetensorError

from iwae_core import training
from iwae_core.runtime.history import Seen
from iwae_core.runtime.lineage import Change, Lineage
from iwae_core.runtime.store_schema import connect, migrate, runs, states
from iwae_core.training import RunState, Stop, TrainConfig

MOST_STATES = 12  # of one run
MOST_STATE_BYTES = 48_000_000  # of one run's states together
MOST_NAME = 80  # characters

_CURVES = "curves.safetensors"


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


class Store:
    """A database of runs and the folder of their arrays; safe for several threads.

    Args:
        url: Any SQLAlchemy URL; brought to the present schema.
        folder: Where arrays lie.

    Raises:
        OSError: If the folder cannot be made.
        sqlalchemy.exc.SQLAlchemyError: If the database cannot be opened.
    """

    def __init__(self, url: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.engine = connect(url)
        migrate(self.engine)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    # Rows -----------------------------------------------------------------------------------

    def put(self, records: Sequence[Record]) -> None:
        """Insert or update rows, in one transaction.

        A run's name and its place in the tree are set when its row is new, and by
        :meth:`rename` from then on.
        """
        with self.engine.begin() as connection:
            for record in records:
                row = _row(record)
                fixed = ("id", "name", "parent_id", "parent_step", "created")
                news = {name: value for name, value in row.items() if name not in fixed}
                update = sa.update(runs).where(runs.c.id == record.id).values(news)
                if connection.execute(update).rowcount == 0:
                    connection.execute(sa.insert(runs).values(row))

    def get(self, run_id: str) -> Record | None:
        """The run of that id."""
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).first()
        return None if row is None else _record(row)

    def of(self, owner: str) -> list[Record]:
        """Every run of one browser, the latest first."""
        query = sa.select(runs).where(runs.c.owner == owner).order_by(runs.c.created.desc())
        with self.engine.connect() as connection:
            return [_record(row) for row in connection.execute(query)]

    def rename(self, run_id: str, name: str) -> None:
        """Name a run, or with an empty name make it one that nobody named."""
        name = " ".join(name.split())[:MOST_NAME]
        with self.engine.begin() as connection:
            connection.execute(sa.update(runs).where(runs.c.id == run_id).values(name=name))

    def delete(self, run_id: str) -> None:
        """Forget a run; its branches stay, as runs of their own."""
        with self.engine.begin() as connection:
            connection.execute(sa.delete(runs).where(runs.c.id == run_id))
        shutil.rmtree(self._place(run_id), ignore_errors=True)

    def usage(self, owner: str) -> Usage:
        """How much one browser has here."""
        mine = runs.c.owner == owner
        is_recent = sa.and_(runs.c.name == "", runs.c.parent_step.is_(None))
        n_recent = sa.func.coalesce(sa.func.sum(sa.case((is_recent, 1), else_=0)), 0)
        with self.engine.connect() as connection:
            n_runs, n_others = connection.execute(
                sa.select(sa.func.count(), n_recent).select_from(runs).where(mine)
            ).one()
            n_bytes = connection.execute(
                sa.select(sa.func.coalesce(sa.func.sum(states.c.n_bytes), 0))
                .join(runs, runs.c.id == states.c.run_id)
                .where(mine)
            ).scalar_one()
        return Usage(n_runs - n_others, n_others, n_bytes)

    # Arrays ---------------------------------------------------------------------------------

    def keep(self, run_id: str, state: RunState, seen: Seen, most: int = MOST_STATES) -> None:
        """Keep a state of a run that has a row, and its curves until there; thin the older ones.

        Cut off at any moment, what was kept before is still whole.
        """
        place = self._place(run_id)
        place.mkdir(exist_ok=True)
        # The curves go first: one may be longer than the last state, never shorter.
        curves = {
            "steps": np.ascontiguousarray(seen.steps),
            "held_out": np.ascontiguousarray(seen.held_out),
            "deep": np.ascontiguousarray(seen.deep),
        }
        new = place / (_CURVES + ".new")
        new.write_bytes(safetensors.numpy.save(curves))
        os.replace(new, place / _CURVES)
        target = place / _step_name(state.step)
        training.save(state, target)
        size = sum(path.stat().st_size for path in target.iterdir())
        most = min(most, max(2, MOST_STATE_BYTES // max(1, size)))
        with self.engine.begin() as connection:
            of_run = states.c.run_id == run_id
            connection.execute(sa.delete(states).where(of_run, states.c.step == state.step))
            if connection.execute(sa.select(runs.c.id).where(runs.c.id == run_id)).first() is None:
                shutil.rmtree(place, ignore_errors=True)  # the run was deleted meanwhile
                return
            row = {"run_id": run_id, "step": state.step, "n_bytes": size}
            connection.execute(sa.insert(states).values(row))
            kept = connection.execute(sa.select(states.c.step).where(of_run)).scalars()
            dropped = thinned_out(sorted(kept), most)
            connection.execute(sa.delete(states).where(of_run, states.c.step.in_(dropped)))
        for step in dropped:
            shutil.rmtree(place / _step_name(step), ignore_errors=True)

    def kept_steps(self, run_id: str) -> list[int]:
        """Steps at which states are kept, in order."""
        query = sa.select(states.c.step).where(states.c.run_id == run_id).order_by(states.c.step)
        with self.engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def nearest(self, run_id: str, step: int) -> RunState | None:
        """The latest kept state at or before a step that can be read; a broken one is passed."""
        for kept in reversed([at for at in self.kept_steps(run_id) if at <= step]):
            try:
                return training.load(self._place(run_id) / _step_name(kept))
            except ValueError:
                continue
        return None

    def curves(self, run_id: str, step: int) -> tuple[NDArray[np.float32], ...]:
        """Steps, held-out and deep bounds until a step, as in :class:`History`, or empty."""
        try:
            kept = safetensors.numpy.load_file(self._place(run_id) / _CURVES)
            curves = [kept[name] for name in ("steps", "held_out", "deep")]
        except (OSError, SafetensorError, KeyError):
            return tuple(np.zeros((0, n), np.float32) for n in (4, 4, 2))
        return tuple(rows[rows[:, 0] <= step] for rows in curves)

    def sweep(self) -> None:
        """Remove the arrays of runs that have no row: a deletion that was cut off."""
        with self.engine.connect() as connection:
            known = set(connection.execute(sa.select(runs.c.id)).scalars())
        for place in self.folder.iterdir():
            if place.is_dir() and place.name not in known:
                shutil.rmtree(place, ignore_errors=True)

    def _place(self, run_id: str) -> Path:
        return self.folder / run_id


def thinned_out(steps: Sequence[int], most: int) -> list[int]:
    """Which kept steps to drop so that ``most`` stay, spread evenly; never the first or last.

    >>> thinned_out([0, 10, 12, 20, 30], most=4)
    [12]
    """
    left, dropped = list(steps), []
    while len(left) > max(2, most):
        at = min(range(1, len(left) - 1), key=lambda i: left[i + 1] - left[i - 1])
        dropped.append(left.pop(at))
    return dropped


def default_place() -> tuple[str, Path]:
    """Database and folder of this machine's user, or those that the environment names.

    ``IWAE_LAB_DATABASE`` is any SQLAlchemy URL. Arrays lie beside a SQLite file; those of another
    database in ``IWAE_LAB_ARRAYS``, or in the user's data folder.
    """
    home = platformdirs.user_data_path("iwae-lab", appauthor=False)
    url = os.environ.get("IWAE_LAB_DATABASE") or f"sqlite:///{home / 'runs.sqlite'}"
    file = sa.make_url(url).database
    is_file = url.startswith("sqlite") and file not in (None, "", ":memory:")
    beside = Path(f"{file}.arrays") if is_file else home / "arrays"
    return url, Path(os.environ.get("IWAE_LAB_ARRAYS") or beside)


def _step_name(step: int) -> str:
    return f"{step:010d}"


def _row(record: Record) -> dict[str, Any]:
    row = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    row["lineage"] = row.pop("past")
    row["stop"] = None if record.stop is None else dataclasses.asdict(record.stop)
    return row


def _record(row: Any) -> Record:
    values = dict(row._mapping)
    stop = values.pop("stop")
    return Record(
        past=values.pop("lineage"), stop=None if stop is None else Stop(**stop), **values
    )
