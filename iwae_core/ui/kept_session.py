"""The run of a session: the one that the address names, or one that the controls ask for.

``?run=<id>`` names a run in the store. Its settings become those of the controls, and it stands
where it stood, after a reload of the page and after a restart of the server. Somebody else's run
is shown and not touched.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime import kept, watched
from iwae_core.runtime.kept import Keeper
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.store_record import Record
from iwae_core.training import TrainConfig
from iwae_core.ui import browser, runs
from iwae_core.ui.url import Link

Adopt = Callable[[Link, TrainConfig], None]  # sets the page's controls to a run's settings

_HELD = "runs.held"  # the live id of the session's run; ui.runs holds it too
_STATE = "kept.state"
STEP = "kept.step"  # key of the step to fork at; a run's own last step where it is not set
_ID = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunField:
    """A run's id in the address; empty for a run that is not in the store yet."""

    name: str = "run"
    default: str = ""

    def parse(self, text: str) -> str:
        """Read an id."""
        if not _ID.fullmatch(text):
            raise ValueError("is no run's address")
        return text

    def write(self, value: str) -> str:
        """Write the id itself."""
        return value


RUN = RunField()


@dataclass(slots=True)
class Session:
    """What a session knows of its run.

    Attributes:
        shown: Id of the record that the page shows; empty for none.
        is_mine: Whether this browser may drive it.
        without_controls: Why the controls cannot show its settings; empty where they do.
        messages: For the reader, once.
    """

    shown: str = ""
    is_mine: bool = True
    without_controls: str = ""
    messages: list[str] | None = None


def session() -> Session:
    """This session's own."""
    state: Session = st.session_state.setdefault(_STATE, Session())
    return state


def keeper() -> Keeper | None:
    """The server's keeper, or None where runs cannot be kept."""
    try:
        return kept.shared()
    except kept.NoStoreError:
        return None


def arrive(link: Link, adopt: Adopt) -> None:
    """Open the run that the address names, if it is not the one shown; above the controls."""
    mine = session()
    for message in mine.messages or []:
        st.warning(message, icon=":material/info:")
    mine.messages = None
    wanted = link.value(RUN)
    if not wanted or (wanted == mine.shown and _held() is not None):
        return
    try:
        open_record(link, adopt, wanted)
    except (ValueError, SQLAlchemyError) as fault:
        mine.messages = [f"The run of this address cannot be opened: {fault}"]
        name(link, "")
        mine.shown, mine.is_mine, mine.without_controls = "", True, ""
    st.rerun()


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
    is_mine = record.owner == owner
    run = store.reopen(record) if is_mine else store.view(record, owner)
    show(link, adopt, run, record, is_mine=is_mine)


def show(link: Link, adopt: Adopt, run: LiveRun, record: Record, *, is_mine: bool) -> None:
    """Make a run the session's, and the controls those of its settings."""
    leave(run)
    state = session()
    st.session_state[_HELD] = run.run_id
    st.session_state.pop(STEP, None)
    watched.stay(run.run_id)
    state.shown, state.is_mine, state.without_controls = record.id, is_mine, ""
    name(link, record.id)
    try:
        adopt(link, run.config)
    except ValueError as fault:
        state.without_controls = str(fault)


def leave(unless: LiveRun | None = None) -> None:
    """Let go of the session's run; one's own ends, and its last state is kept."""
    held = _held()
    if held is not None and held is not unless and session().is_mine:
        watched.leave(held.run_id)
    st.session_state.pop(_HELD, None)


def watch(link: Link, config: TrainConfig | None) -> LiveRun | None:
    """The session's run, brought to the controls; the address follows it.

    Args:
        link: The page's address, with :data:`RUN` among its fields.
        config: What the controls ask for; None leaves the run that there is as it is.

    Returns:
        The run, or None after saying on the page why there can be none.
    """
    state, store = session(), keeper()
    held = _held()
    if held is not None and (not state.is_mine or state.without_controls):
        return held
    state.is_mine, state.without_controls = True, ""
    owner = browser.owner()
    if store is None:
        return runs.watch(config)
    run = runs.watch(config, lambda asked: store.open(asked, owner))
    record = None if run is None else store.record_of(run)
    state.shown = "" if record is None else record.id
    name(link, state.shown)
    return run


def name(link: Link, record_id: str) -> None:
    """Let the address name a run, or none."""
    link.set(RUN, record_id)
    link.accept(RUN, record_id)


def play(run: LiveRun) -> None:
    """Play, or tell the reader which limit is in the way; from a button's callback."""
    store = keeper()
    try:
        if store is not None:
            store.check_may_play(browser.owner())
    except ValueError as fault:
        session().messages = [str(fault)]
        return
    run.play()


def _held() -> LiveRun | None:
    held = st.session_state.get(_HELD)
    return watched.find(held) if held else None
