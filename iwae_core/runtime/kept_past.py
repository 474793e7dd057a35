"""Where a kept run can be taken up: its own states, and those of the runs it was forked from."""

from iwae_core.runtime.history import History
from iwae_core.runtime.kept_curves import Rows
from iwae_core.runtime.lineage import Lineage, Origin
from iwae_core.runtime.store import Record, Store
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


def _curves(store: Store, record: Record, step: int) -> tuple[Rows, ...]:
    """The curves until a step: the run's own, or while it has none those of its parent."""
    curves = store.curves(record.id, step)
    parent = store.get(record.parent_id) if record.parent_id else None
    if len(curves[0]) or parent is None:
        return curves
    return _curves(store, parent, step)
