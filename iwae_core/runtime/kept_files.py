"""Runs of the store as bundles to export, and bundles as runs of the store."""

import dataclasses
from collections.abc import Sequence

from iwae_core.runtime.history import Seen
from iwae_core.runtime.kept_bundle import Bundle
from iwae_core.runtime.kept_curves import Rows
from iwae_core.runtime.kept_writer import bounds, new_id
from iwae_core.runtime.store import Store
from iwae_core.runtime.store_record import Record, lineage_to_json
from iwae_core.training import RunState


def bundle_of(store: Store, record: Record, state: RunState) -> Bundle:
    """A run as it stood at one of its kept states."""
    lineage = record.lineage
    if state.step < record.step:
        lineage = lineage.before(state.step)
    return Bundle(
        name=record.name,
        lineage=lineage,
        state=dataclasses.replace(state, config=lineage.config_now()),
        curves=store.curves(record.id, state.step),
    )


def take_in(
    store: Store, bundles: Sequence[Bundle], owner: str, now: float, strip: Rows | None = None
) -> tuple[Record, ...]:
    """Keep imported runs as a browser's own; two as a pair, whole or not at all.

    Args:
        store: Where to.
        bundles: One, or the two of a pair.
        owner: Whose they become.
        now: Seconds since 1970.
        strip: How the two of a pair compare.

    Raises:
        OSError: If the disk is full.
    """
    ids = [new_id() for _ in bundles]
    records = tuple(
        Record(
            id=each,
            owner=owner,
            name=bundle.name or "imported",
            created=now,
            updated=now,
            pair_id=ids[0] if len(ids) > 1 else None,
            past=lineage_to_json(bundle.lineage),
            step=bundle.state.step,
            stop=bundle.state.stop,
            **bounds(bundle.curves[1]),
        )
        for each, bundle in zip(ids, bundles, strict=True)
    )
    store.put(records)
    try:
        for record, bundle in zip(records, bundles, strict=True):
            steps, held_out, deep = bundle.curves
            seen = Seen(steps=steps, held_out=held_out, deep=deep)
            if strip is not None and record is records[0]:
                seen = dataclasses.replace(seen, pair=strip)
            store.keep(record.id, bundle.state, seen)
    except OSError:
        store.delete(ids[0])
        raise
    return records
