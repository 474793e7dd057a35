"""The panel of kept runs: name, fork, open, compare, export, import and delete them."""

import time

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime.kept import Keeper
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.store import MOST_NAME
from iwae_core.runtime.store_record import Record
from iwae_core.runtime.store_schema import told
from iwae_core.training import LIVE_FIELDS
from iwae_core.ui import browser, desk, kept_list, player, runs, widgets
from iwae_core.ui import kept_said as said
from iwae_core.ui import kept_session as sessions
from iwae_core.ui.kept_session import RUN, STEP, Adopt, arrive, play, watch
from iwae_core.ui.kept_titles import title, tree
from iwae_core.ui.url import Link

__all__ = ["RUN", "arrive", "panel", "picture", "watch"]

_NAME = "kept.name"
_EYE = ":material/visibility:"
_ANOTHERS = (
    "You are looking at somebody else's run, and cannot change it. Fork it, and the branch is "
    "yours."
)
_A_TWIN = (
    "You are looking at one of a pair, which goes on beside its twin on the page *Twins*. Fork "
    "it, and the branch goes its own way."
)


def picture(link: Link, run: LiveRun, adopt: Adopt) -> None:
    """Draw the page's run and let its owner drive it; whoever looks back may fork it there."""
    keeper, state = desk.keeper(), sessions.session()

    def fork(step: int) -> None:
        if keeper is None:
            return
        try:
            # Nobody need have played it: who forks it asks for it, and it is kept.
            record = keeper.store.get(state.shown) if state.shown else keeper.keep(run)
            if record is not None:
                _branch_off(keeper, link, run, adopt, record, step)
        except (ValueError, SQLAlchemyError) as fault:
            state.messages = [told(fault)]

    if not state.is_mine:
        shown = None if keeper is None else keeper.store.get(state.shown)
        st.info(_ANOTHERS if shown is None or shown.pair_id is None else _A_TWIN, icon=_EYE)
    elif state.without_controls:
        st.info(
            f"The controls above do not move this run: {state.without_controls}.",
            icon=":material/tune:",
        )
    player.show(
        run,
        title=runs.objective_title(run.config),
        may_drive=state.is_mine,
        play=play,
        fork=None if keeper is None else fork,
        is_shown=lambda one: sessions.DESK.live() is one,
    )


def panel(link: Link, run: LiveRun, adopt: Adopt) -> None:
    """Place the box of kept runs below the picture of the page's run."""
    keeper = desk.keeper()
    box = st.expander("Runs", icon=":material/account_tree:", key="kept.box", on_change="rerun")
    if not box.open:
        return
    with box:
        if keeper is None:
            st.warning(
                "Runs cannot be kept on this server: its database cannot be opened. They train "
                "all the same, until you leave the page.",
                icon=":material/database_off:",
            )
            return
        try:
            _contents(keeper, link, run, adopt)
        except SQLAlchemyError as fault:
            st.warning(
                said.plain(f"Kept runs cannot be read now: {told(fault)}"),
                icon=":material/database_off:",
            )


def _contents(keeper: Keeper, link: Link, run: LiveRun, adopt: Adopt) -> None:
    owner = browser.owner()
    leaves = tree(keeper.of(owner))
    said.say()
    _limits(keeper, owner)
    shown = keeper.store.get(sessions.session().shown) if sessions.session().shown else None
    _this_run(keeper, link, run, adopt, shown)
    if leaves:
        st.html(kept_list.table(leaves, None if shown is None else shown.id, time.time()))
        kept_list.actions(keeper, link, adopt, leaves)
    kept_list.take_file(keeper, owner)


def _limits(keeper: Keeper, owner: str) -> None:
    used, limits = keeper.usage(owner), keeper.limits
    st.caption(
        f"{used.n_kept} of {limits.n_kept} kept, {used.n_bytes / 1e6:.0f} of "
        f"{limits.n_bytes / 1e6:.0f} MB. A run is kept when it has a name or is a branch; of the "
        f"others the last {limits.n_recent} stay. Up to {limits.n_playing} play at a time; a pair "
        "of the page *Twins* counts as two, here and there. "
        "Only this browser lists them; whoever has a run's link may look at it and fork it."
    )
    if keeper.fault:
        st.warning(said.plain(keeper.fault), icon=":material/database_off:")


# The run on the page ----------------------------------------------------------------------------


def _this_run(
    keeper: Keeper, link: Link, run: LiveRun, adopt: Adopt, shown: Record | None
) -> None:
    if shown is None:
        st.markdown(
            "Play the run, or look back and fork it, and it is kept: this page's address then "
            "leads back to it."
        )
        return
    is_mine = sessions.session().is_mine
    left, middle, right = st.columns([5, 2, 3], vertical_alignment="bottom")
    if is_mine:
        widgets.put(_NAME, shown.name)
        left.text_input(
            "Name of this run",
            key=_NAME,
            placeholder=title(shown),
            max_chars=MOST_NAME,
            on_change=_rename,
            args=(keeper, shown.id),
        )
    last = max(shown.step, run.status().step if is_mine else 0)
    widgets.put(STEP, min(st.session_state.get(STEP, last), last))
    middle.number_input("Fork at step", 0, last, key=STEP, step=1)
    right.button(
        "Fork",
        icon=":material/alt_route:",
        width="stretch",
        help="Another run with the same past up to that step; from there it goes on with the "
        "settings of the controls. The replay gives the same numbers to the bit.",
        on_click=_fork,
        args=(keeper, link, run, adopt, shown),
    )


def _rename(keeper: Keeper, run_id: str) -> None:
    name = str(st.session_state[_NAME]).strip()
    record = keeper.store.get(run_id)

    def rename() -> None:
        if record is not None and name and not record.is_kept:
            keeper.check_room(browser.owner())
        keeper.store.rename(run_id, name)

    said.attempt(rename)


def _fork(keeper: Keeper, link: Link, run: LiveRun, adopt: Adopt, shown: Record) -> None:
    step = int(st.session_state[STEP])
    said.attempt(lambda: _branch_off(keeper, link, run, adopt, shown, step))


def _branch_off(
    keeper: Keeper, link: Link, run: LiveRun, adopt: Adopt, shown: Record, step: int
) -> None:
    values = {name: getattr(run.config, name) for name in LIVE_FIELDS}
    branch = keeper.fork(shown, step, values, browser.owner())
    record = keeper.record_of(branch)
    if record is not None:
        sessions.show(link, adopt, branch, record, is_mine=True)
