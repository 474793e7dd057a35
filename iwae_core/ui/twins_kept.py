"""The pair of a session, and the box of kept pairs: name, open, export and delete them."""

import time

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime import kept, watched
from iwae_core.runtime.kept import Keeper
from iwae_core.runtime.kept_pairs import Records
from iwae_core.runtime.store import MOST_NAME
from iwae_core.runtime.store_schema import told
from iwae_core.runtime.twins import TwinRun
from iwae_core.training import TrainConfig
from iwae_core.ui import browser, twins, twins_list, twins_live, watching, widgets
from iwae_core.ui import kept_said as said
from iwae_core.ui.desk import Desk, RecordField, keeper
from iwae_core.ui.url import Link

PAIR = RecordField(name="pair")
DESK: Desk[TwinRun] = Desk("twins", PAIR, watched.PAIRS)
_NAME = "twins.name"


def arrive(link: Link) -> None:
    """Open the pair that the address names, if it is not the one shown; above the controls."""
    DESK.arrive(link, lambda pair_id: open_pair(link, pair_id))


def open_pair(link: Link, pair_id: str) -> None:
    """Show a pair of the store; also from a widget's callback.

    Raises:
        ValueError: If there is none of that id, or its settings are unknown here.
    """
    store = kept.shared()
    records = store.store.pair(pair_id)
    if records is None:
        raise ValueError("it is not kept on this server, or was deleted")
    owner = browser.owner()
    pair = store.pairs.reopen(records, owner)
    DESK.show(link, pair, pair_id, is_mine=records[0].owner == owner)
    try:
        twins.adopt(link, *pair.configs)
    except ValueError as fault:
        DESK.session().without_controls = str(fault)


def watch(link: Link, first: TrainConfig, second: TrainConfig) -> TwinRun | None:
    """The session's pair, brought to the controls; the address follows it.

    Returns:
        The pair, or None after saying on the page why there can be none.
    """
    store, owner = keeper(), browser.owner()

    def begin(one: TrainConfig, other: TrainConfig) -> TwinRun:
        if store is None:
            return watched.open_pair(one, other)
        return store.pairs.open(one, other, owner)

    def record_id(pair: TwinRun) -> str:
        records = None if store is None else store.pairs.records_of(pair)
        return "" if records is None else records[0].id

    return watching.watch(
        DESK, link, lambda: twins_live.watch(first, second, DESK, begin), record_id
    )


def picture(link: Link, pair: TwinRun) -> None:
    """Draw the page's pair, and let its owner drive it."""
    state = DESK.session()
    if not state.is_mine:
        st.info(
            "You are looking at somebody else's pair, and cannot change it. Begin your own from "
            "the page's bare address.",
            icon=":material/visibility:",
        )
    else:
        if state.without_controls:
            st.info(
                f"The controls above do not move this pair: {state.without_controls}.",
                icon=":material/tune:",
            )
        twins_live.transport(pair, DESK)
    twins_live.picture(pair, asks=not twins.predicted(link))


def panel(link: Link) -> None:
    """Place the box of kept pairs below the picture."""
    store = keeper()
    box = st.expander(
        "Kept pairs", icon=":material/account_tree:", key="twins.box", on_change="rerun"
    )
    if not box.open:
        return
    with box:
        if store is None:
            st.warning(
                "Pairs cannot be kept on this server: its database cannot be opened. They train "
                "all the same, until you leave the page.",
                icon=":material/database_off:",
            )
            return
        try:
            _contents(store, link)
        except SQLAlchemyError as fault:
            st.warning(
                said.plain(f"Kept pairs cannot be read now: {told(fault)}"),
                icon=":material/database_off:",
            )


def _contents(store: Keeper, link: Link) -> None:
    owner = browser.owner()
    said.say()
    used, limits = store.usage(owner), store.limits
    st.caption(
        f"A pair is kept as two runs, and counts as two: up to {limits.n_playing} runs play at a "
        f"time, {used.n_kept} of {limits.n_kept} are kept under a name, and of the others the "
        f"last {limits.n_recent} stay. Whoever has a pair's link may look at it."
    )
    if store.fault:
        st.warning(said.plain(store.fault), icon=":material/database_off:")
    state = DESK.session()
    records = store.store.pair(state.shown) if state.shown else None
    if records is None:
        st.markdown("Play the pair, and it is kept: this page's address then leads back to it.")
    elif state.is_mine:
        _name(store, records)
    pairs = store.pairs.of(owner)
    if pairs:
        st.html(twins_list.table(pairs, state.shown, time.time()))
        twins_list.actions(
            store,
            pairs,
            open_one=lambda pair_id: open_pair(link, pair_id),
            delete=lambda pair_id: _delete(store, link, pair_id),
        )
    twins_list.take_file(store, owner)


def _name(store: Keeper, records: Records) -> None:
    widgets.put(_NAME, records[0].name)

    def rename() -> None:
        name = str(st.session_state[_NAME]).strip()
        if name and not records[0].is_kept:
            store.check_room(browser.owner(), 2)
        store.store.rename(records[0].id, name)

    st.text_input(
        "Name of this pair",
        key=_NAME,
        placeholder=twins_list.title(records),
        max_chars=MOST_NAME,
        on_change=said.attempt,
        args=(rename,),
    )


def _delete(store: Keeper, link: Link, pair_id: str) -> None:
    if pair_id == DESK.session().shown:
        DESK.clear(link)
    records = store.store.pair(pair_id)
    if records is not None:
        store.delete(records[0])
