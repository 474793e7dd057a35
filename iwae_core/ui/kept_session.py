"""The run of a session: the one that the address names, or one that the controls ask for.

A run's settings become those of the controls, and it stands where it stood, after a reload of the
page and after a restart of the server.
"""

from collections.abc import Callable

import streamlit as st

from iwae_core.runtime import kept, watched
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.store_record import Record
from iwae_core.training import TrainConfig
from iwae_core.ui import browser, runs, watching
from iwae_core.ui.desk import Desk, RecordField, Session, keeper
from iwae_core.ui.url import Link

Adopt = Callable[[Link, TrainConfig], None]  # sets the page's controls to a run's settings

STEP = "kept.step"  # key of the step to fork at; a run's own last step where it is not set
RUN = RecordField(name="run")
DESK: Desk[LiveRun] = Desk("runs", RUN, watched.RUNS)


def session() -> Session:
    """This session's own."""
    return DESK.session()


def arrive(link: Link, adopt: Adopt) -> None:
    """Open the run that the address names, if it is not the one shown; above the controls."""
    DESK.arrive(link, lambda record_id: open_record(link, adopt, record_id))


def open_record(link: Link, adopt: Adopt, record_id: str) -> None:
    """Show a run of the store; also from a widget's callback.

    Raises:
        ValueError: If there is none of that id, or its settings are unknown here.
    """
    store = kept.shared()
    record = store.store.get(record_id)
    if record is None:
        raise ValueError("it is not kept on this server, or was deleted")
    owner = browser.owner()
    # One of a pair goes on beside its twin, on its own page; here it is looked at.
    is_mine = record.owner == owner and record.pair_id is None
    run = store.reopen(record) if is_mine else store.view(record, owner)
    show(link, adopt, run, record, is_mine=is_mine)


def show(link: Link, adopt: Adopt, run: LiveRun, record: Record, *, is_mine: bool) -> None:
    """Make a run the session's, and the controls those of its settings."""
    DESK.show(link, run, record.id, is_mine=is_mine)
    st.session_state.pop(STEP, None)
    try:
        adopt(link, run.config)
    except ValueError as fault:
        DESK.session().without_controls = str(fault)


def watch(link: Link, config: TrainConfig | None) -> LiveRun | None:
    """The session's run, brought to the controls; the address follows it.

    Args:
        link: The page's address, with :data:`RUN` among its fields.
        config: What the controls ask for; None leaves the run that there is as it is.

    Returns:
        The run, or None after saying on the page why there can be none.
    """
    store, owner = keeper(), browser.owner()

    def record_id(run: LiveRun) -> str:
        record = None if store is None else store.record_of(run)
        return "" if record is None else record.id

    begin = watched.open_run if store is None else lambda asked: store.open(asked, owner)
    return watching.watch(DESK, link, lambda: runs.watch(DESK, config, begin), record_id)


def play(run: LiveRun) -> None:
    """Play, or tell the reader which limit is in the way; from a button's callback."""
    DESK.play(run)
