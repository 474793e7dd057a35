"""Twins in the store: two runs under one name, opened again together at their common step.

Each is a run like any other, with its own past, states and curves, so it can be looked at, forked
and exported alone. What both have in common stands with the first: the id of the pair is its id,
and its curves hold how the two compare.
"""

from collections.abc import Callable

from iwae_core.runtime.kept_files import bundle_of, take_in
from iwae_core.runtime.kept_pair_bundle import PairBundle
from iwae_core.runtime.kept_past import pair_origins, pair_states
from iwae_core.runtime.kept_writer import Writer
from iwae_core.runtime.lineage import Origin
from iwae_core.runtime.store import Store
from iwae_core.runtime.store_record import Record
from iwae_core.runtime.twins import TwinRun
from iwae_core.training import TrainConfig

Start = TrainConfig | Origin
Records = tuple[Record, Record]


class Pairs:
    """Writes live pairs into a store and makes live pairs of what is there.

    Args:
        store: Where to.
        writer: What writes there.
        start: Makes a live pair of two settings or pasts; whose it is comes with them.
    """

    def __init__(
        self, store: Store, writer: Writer, start: Callable[[Start, Start, str], TwinRun]
    ) -> None:
        self._store = store
        self._writer = writer
        self._start = start

    def open(self, first: TrainConfig, second: TrainConfig, owner: str) -> TwinRun:
        """Begin a pair, paused; it comes into the store when it is first played."""
        return self._writer.attach(self._start(first, second, owner), owner)

    def reopen(self, records: Records, viewer: str) -> TwinRun:
        """The live pair of two records, replayed from the store where no live one is left.

        Args:
            records: Of the first and the second.
            viewer: Who asks: what is not theirs is written down no more.

        Raises:
            ValueError: If this version of the program does not know their settings.
        """
        live = self._writer.live(records[0].id)
        if isinstance(live, TwinRun):
            return live
        pair = self._start(*pair_origins(self._store, records), viewer)
        if records[0].owner == viewer:
            self._writer.attach(pair, viewer, records)
        return pair

    def records_of(self, pair: TwinRun) -> Records | None:
        """The rows of a live pair, as last written; None before it is first played."""
        records = self._writer.records_of(pair)
        return (records[0], records[1]) if records else None

    def bundle(self, records: Records) -> PairBundle:
        """A pair to export: as both stood when their states were last kept.

        Raises:
            ValueError: If no states of one step are kept, or settings are unknown here.
        """
        self._writer.flush(records[0].id)
        records = self._store.pair(records[0].id) or records
        states = pair_states(self._store, records)
        if states is None:
            raise ValueError("no states of this pair are kept yet; open it, and try again")
        first, second = map(bundle_of, (self._store, self._store), records, states)
        strip = self._store.pair_curve(records[0].id, states[0].step)
        return PairBundle(sides=(first, second), strip=strip)

    def take_in(self, bundle: PairBundle, owner: str) -> Records:
        """Keep an imported pair as one of this browser's.

        Raises:
            ValueError: If a limit is met.
        """
        self._writer.limits.check_room(self._store.usage(owner), 2)
        first, second = take_in(
            self._store, bundle.sides, owner, self._writer.now(), strip=bundle.strip
        )
        return first, second

    def of(self, owner: str) -> list[Records]:
        """Every pair of one browser, the latest first."""
        return [(g[0], g[1]) for g in self._store.groups(owner) if len(g) > 1]
