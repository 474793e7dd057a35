"""What lies before a reader: the run, or the pair, that a page of this session shows.

``?run=<id>`` or ``?pair=<id>`` names it in the store. What is somebody else's is shown and not
touched.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime import kept
from iwae_core.runtime.held import Held
from iwae_core.runtime.kept import Keeper
from iwae_core.runtime.lock_step import LockStep
from iwae_core.runtime.store_schema import told
from iwae_core.ui import browser
from iwae_core.ui.url import Link

_ID = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordField:
    """The id of a kept run or pair in the address; empty for one that is not in the store yet."""

    name: str
    default: str = ""

    def parse(self, text: str) -> str:
        """Read an id."""
        if not _ID.fullmatch(text):
            raise ValueError(f"is no {self.name}'s address")
        return text

    def write(self, value: str) -> str:
        """Write the id itself."""
        return value


@dataclass(slots=True)
class Session:
    """What a session knows of what its page shows.

    Attributes:
        shown: Id of the record; empty for none.
        is_mine: Whether this browser may drive it.
        without_controls: Why the controls cannot show its settings; empty where they do.
        messages: For the reader, once.
    """

    shown: str = ""
    is_mine: bool = True
    without_controls: str = ""
    messages: list[str] | None = None


L = TypeVar("L", bound=LockStep[Any, Any])


class Desk(Generic[L]):
    """The place of one kind of run in every session.

    Args:
        name: Of the keys in the session's state.
        field: Of the address.
        held: Where the server holds what is live.
    """

    def __init__(self, name: str, field: RecordField, held: Held[L]) -> None:
        self.field = field
        self._held = held
        self._held_key, self._state_key = f"{name}.held", f"{name}.state"

    def session(self) -> Session:
        """This session's own."""
        state: Session = st.session_state.setdefault(self._state_key, Session())
        return state

    def live(self) -> L | None:
        """What the page shows, while it is live."""
        held = st.session_state.get(self._held_key)
        return self._held.find(held) if held else None

    def bring(self, suits: Callable[[L], bool], begin: Callable[[], L]) -> L | None:
        """What is shown, where it suits the controls; else another takes its place.

        Args:
            suits: Whether it can become what is asked for while it goes on.
            begin: Begins another.

        Returns:
            What is shown now, or None after saying on the page why there can be nothing.
        """
        live = self.live()
        if live is not None and suits(live):
            return live
        if live is not None:
            self._held.close(live.run_id)
        try:
            live = begin()
        except ValueError as fault:
            st.error(str(fault), icon=":material/block:")
            return None
        st.session_state[self._held_key] = live.run_id
        return live

    def arrive(self, link: Link, open_record: Callable[[str], None]) -> None:
        """Open what the address names, if it is not what is shown; above the controls."""
        mine = self.session()
        for message in mine.messages or []:
            st.warning(message, icon=":material/info:")
        mine.messages = None
        wanted = link.value(self.field)
        if not wanted or (wanted == mine.shown and self.live() is not None):
            return
        try:
            open_record(wanted)
        except (ValueError, SQLAlchemyError) as fault:
            what = f"The {self.field.name} of this address"
            mine.messages = [f"{what} cannot be opened: {told(fault)}"]
            self.name(link, "")
            mine.shown, mine.is_mine, mine.without_controls = "", True, ""
        st.rerun()

    def show(self, link: Link, live: L, record_id: str, *, is_mine: bool) -> None:
        """Show a record's live run; also from a widget's callback."""
        self.leave(live)
        state = self.session()
        st.session_state[self._held_key] = live.run_id
        self._held.stay(live.run_id)
        state.shown, state.is_mine, state.without_controls = record_id, is_mine, ""
        self.name(link, record_id)

    def leave(self, unless: L | None = None) -> None:
        """Let go of what is shown; one's own ends, and its last state is kept."""
        live = self.live()
        if live is not None and live is not unless and self.session().is_mine:
            self._held.leave(live.run_id)
        st.session_state.pop(self._held_key, None)

    def clear(self, link: Link) -> None:
        """Show nothing any more, for what was shown is deleted."""
        self.leave()
        self.session().shown = ""
        self.name(link, "")

    def name(self, link: Link, record_id: str) -> None:
        """Let the address name it, or nothing."""
        link.set(self.field, record_id)
        link.accept(self.field, record_id)

    def play(self, live: L) -> None:
        """Play, or tell the reader which limit is in the way; from a button's callback."""
        if fault := self.in_the_way(live):
            self.session().messages = [fault]
        else:
            live.play()

    def in_the_way(self, live: L) -> str:
        """The limit that keeps it from playing, in a sentence; empty where none does."""
        store = keeper()
        try:
            if store is not None:
                store.check_may_play(browser.owner(), live.n_sides)
        except ValueError as fault:
            return str(fault)
        return ""


def keeper() -> Keeper | None:
    """The server's keeper, or None where runs cannot be kept."""
    try:
        return kept.shared()
    except kept.NoStoreError:
        return None
