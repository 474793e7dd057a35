r"""Runs that outlive their server: a row each in a database, and states in files beside it.

A row holds the run's lineage and how far it came; that is enough to have the run again
(:mod:`iwae_core.runtime.lineage`), so it is written often and is small. States and curves only
shorten the replay; they are files, written less often.

    <folder>/<run id>/<step>/state.json, state-<digest>.safetensors    see training.checkpoint
    <folder>/<run id>/curves.safetensors                               up to the last kept state
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import platformdirs
import safetensors.numpy
import sqlalchemy as sa
from numpy.typing import NDArray
from safetensors import SafetensorError

from iwae_core import training
from iwae_core.runtime.history import Seen
from iwae_core.runtime.store_record import Record, Usage, from_row, to_row
from iwae_core.runtime.store_schema import connect, migrate, runs, states, writing
from iwae_core.training import RunState

MOST_STATES = 12  # of one run
MOST_STATE_BYTES = 48_000_000  # of one run's states together
MOST_NAME = 80  # characters

_CURVES = "curves.safetensors"
_COLUMNS = {"steps": 4, "held_out": 4, "deep": 2}


class Store:
    """A database of runs and the folder of their arrays; safe for several threads.

    Args:
        url: Any SQLAlchemy URL; brought to the present schema.
        folder: Where arrays lie.

    Raises:
        OSError: If the folder cannot be made.
        ValueError: If the database's driver is not installed.
        sqlalchemy.exc.SQLAlchemyError: If the database cannot be opened.
    """

    def __init__(self, url: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.engine = connect(url)
        migrate(self.engine)
        self._writing = writing(self.engine)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    # Rows -----------------------------------------------------------------------------------

    def put(self, records: Sequence[Record]) -> None:
        """Insert or update rows, in one transaction.

        A run's name and its place in the tree are set when its row is new, and by
        :meth:`rename` from then on.
        """
        with self._writing.begin() as connection:
            for record in records:
                row = to_row(record)
                fixed = ("id", "name", "parent_id", "parent_step", "created")
                news = {name: value for name, value in row.items() if name not in fixed}
                update = sa.update(runs).where(runs.c.id == record.id).values(news)
                if connection.execute(update).rowcount == 0:
                    connection.execute(sa.insert(runs).values(row))

    def get(self, run_id: str) -> Record | None:
        """The run of that id."""
        with self.engine.connect() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).first()
        return None if row is None else from_row(row)

    def groups(self, owner: str) -> list[tuple[Record, ...]]:
        """Every run of one browser, alone or with its twin behind it; the latest first."""
        query = sa.select(runs).where(runs.c.owner == owner).order_by(runs.c.created.desc())
        with self.engine.connect() as connection:
            found = [from_row(row) for row in connection.execute(query)]
        by_pair: dict[str, list[Record]] = {}
        for record in found:
            by_pair.setdefault(record.pair_id or record.id, []).append(record)
        return [
            tuple(sorted(group, key=lambda record: record.id != first))
            for first, group in by_pair.items()
        ]

    def of(self, owner: str) -> list[Record]:
        """Every single run of one browser, the latest first."""
        return [group[0] for group in self.groups(owner) if group[0].pair_id is None]

    def pair(self, pair_id: str) -> tuple[Record, Record] | None:
        """The pair of that id, or None where it is not whole."""
        query = sa.select(runs).where(runs.c.pair_id == pair_id)
        with self.engine.connect() as connection:
            found = [from_row(row) for row in connection.execute(query)]
        found.sort(key=lambda record: record.id != pair_id)
        return (found[0], found[1]) if [r.id == pair_id for r in found] == [True, False] else None

    def rename(self, run_id: str, name: str) -> None:
        """Name a run or a pair, or with an empty name make it one that nobody named."""
        words = ("".join(filter(str.isprintable, word)) for word in name.split())
        name = " ".join(filter(None, words))[:MOST_NAME]
        with self._writing.begin() as connection:
            connection.execute(sa.update(runs).where(_is(run_id)).values(name=name))

    def delete(self, run_id: str) -> None:
        """Forget a run or a pair; its branches stay, as runs of their own."""
        with self._writing.begin() as connection:
            found = list(connection.execute(sa.select(runs.c.id).where(_is(run_id))).scalars())
            connection.execute(sa.delete(runs).where(_is(run_id)))
        for each in found:
            shutil.rmtree(self._place(each), ignore_errors=True)

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
            "pair": np.ascontiguousarray(seen.pair),
        }
        new = place / (_CURVES + ".new")
        new.write_bytes(safetensors.numpy.save(curves))
        os.replace(new, place / _CURVES)
        target = place / _step_name(state.step)
        training.save(state, target)
        size = sum(path.stat().st_size for path in target.iterdir())
        most = min(most, max(2, MOST_STATE_BYTES // max(1, size)))
        with self._writing.begin() as connection:
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
            if (state := self.load(run_id, kept)) is not None:
                return state
        return None

    def load(self, run_id: str, step: int) -> RunState | None:
        """The state kept at that very step; None where it cannot be read."""
        try:
            return training.load(self._place(run_id) / _step_name(step))
        except ValueError:
            return None

    def curves(self, run_id: str, step: int) -> tuple[NDArray[np.float32], ...]:
        """Steps, held-out and deep bounds until a step, as in :class:`History`, or empty."""
        kept = self._curves(run_id)
        empty = {name: np.zeros((0, n), np.float32) for name, n in _COLUMNS.items()}
        whole = kept if empty.keys() <= kept.keys() else empty
        return tuple(whole[name][whole[name][:, 0] <= step] for name in _COLUMNS)

    def pair_curve(self, pair_id: str, step: int) -> NDArray[np.float32]:
        """How twins compared until a step: the columns of ``TwinSeen.held_out``."""
        rows = self._curves(pair_id).get("pair", np.zeros((0, 9), np.float32))
        return rows[rows[:, 0] <= step]

    def _curves(self, run_id: str) -> dict[str, NDArray[np.float32]]:
        try:
            return safetensors.numpy.load_file(self._place(run_id) / _CURVES)
        except (OSError, SafetensorError):
            return {}

    def sweep(self) -> None:
        """Remove the arrays of runs that have no row: a deletion that was cut off."""
        with self.engine.connect() as connection:
            known = set(connection.execute(sa.select(runs.c.id)).scalars())
        for place in self.folder.iterdir():
            if place.is_dir() and place.name not in known:
                shutil.rmtree(place, ignore_errors=True)

    def _place(self, run_id: str) -> Path:
        return self.folder / run_id


def _is(run_id: str) -> sa.ColumnElement[bool]:
    """A run, or both of a pair by the first one's id."""
    return sa.or_(runs.c.id == run_id, runs.c.pair_id == run_id)


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
