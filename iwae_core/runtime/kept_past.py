"""Where a kept run can be taken up: its own states, and those of the runs it was forked from."""

from iwae_core.runtime.history import History
from iwae_core.runtime.kept_curves import Rows
from iwae_core.runtime.lineage import Lineage, Origin
from iwae_core.runtime.store import Store
from iwae_core.runtime.store_record import Record
from iwae_core.training import RunState


def nearest(store: Store, record: Record, step: int) -> RunState | None:
    """The latest state of a run at or before a step that is kept under it or an ancestor."""
    state = store.nearest(record.id, step)
    parent = store.get(record.parent_id) if record.parent_id else None
    if parent is None or record.parent_step is None:
        return state
    shared = min(step, record.parent_step)  # until there the two are one run
    if state is None or state.step < shared:
        older = nearest(store, parent, shared)
        if older is not None and (state is None or older.step > state.step):
            return older
    return state


def origin_of(store: Store, record: Record, lineage: Lineage, step: int) -> Origin:
    """Where a live run of that past starts: the nearest state, and the curves until there."""
    state = nearest(store, record, step)
    history = History()
    if state is not None:
        state = lineage.from_kept(state)
        history = History.resumed(*_curves(store, record, state.step))
    return Origin(lineage=lineage, step=step, state=state, history=history)


def pair_origins(store: Store, records: tuple[Record, Record]) -> tuple[Origin, Origin]:
    """Where twins start together: the latest step at which the states of both are kept."""
    step = min(record.step for record in records)
    origins = []
    for record, state in zip(records, pair_states(store, records) or (None, None), strict=True):
        history, lineage = History(), record.lineage
        if state is not None:
            history = History.resumed(*store.curves(record.id, state.step))
            history.pair.rows = store.pair_curve(record.id, state.step)
            state = lineage.from_kept(state)
        origins.append(Origin(lineage=lineage, step=step, state=state, history=history))
    return origins[0], origins[1]


def pair_states(store: Store, records: tuple[Record, Record]) -> tuple[RunState, RunState] | None:
    """The latest kept states of twins that are of one step; None where there are none."""
    first, second = records
    common = set(store.kept_steps(first.id)) & set(store.kept_steps(second.id))
    for kept in sorted(common, reverse=True):
        one, other = store.load(first.id, kept), store.load(second.id, kept)
        if kept <= min(first.step, second.step) and one is not None and other is not None:
            return one, other
    return None


def _curves(store: Store, record: Record, step: int) -> tuple[Rows, ...]:
    """The curves until a step: the run's own, or while it has none those of its parent."""
    curves = store.curves(record.id, step)
    parent = store.get(record.parent_id) if record.parent_id else None
    if len(curves[0]) or parent is None:
        return curves
    return _curves(store, parent, step)
