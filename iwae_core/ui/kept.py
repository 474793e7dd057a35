"""The panel of kept runs: name, fork, open, compare, export, import and delete them."""

import functools
import re
import time
from collections.abc import Callable, Sequence
from html import escape

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from iwae_core.runtime import kept_bundle
from iwae_core.runtime.kept import Keeper
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.store import MOST_NAME, Record
from iwae_core.training import LIVE_FIELDS
from iwae_core.ui import browser, charts, code, player, runs
from iwae_core.ui import kept_session as sessions
from iwae_core.ui.kept_session import RUN, Adopt, arrive, play, watch
from iwae_core.ui.kept_titles import Leaf, common_ancestor, title, tree, when
from iwae_core.ui.url import Link
from iwae_core.view import branches
from iwae_core.view.numbers import fixed

__all__ = ["RUN", "arrive", "panel", "picture", "watch"]

_CHOSEN = "kept.chosen"
_NAME = "kept.name"
_STEP = "kept.step"
_FILE = "kept.file"
_SAID = "kept.said"  # (is an error, what to tell the reader once)


def picture(link: Link, run: LiveRun, adopt: Adopt) -> None:
    """Draw the page's run and let its owner drive it; whoever looks back may fork it there."""
    keeper, state = sessions.keeper(), sessions.session()

    def fork(step: int) -> None:
        record = None if keeper is None else keeper.store.get(state.shown)
        if keeper is not None and record is not None:
            try:
                _branch_off(keeper, link, run, adopt, record, step)
            except (ValueError, SQLAlchemyError) as fault:
                state.messages = [str(fault)]

    player.show(
        run,
        title=runs.objective_title(run.config),
        may_drive=state.is_mine,
        play=play,
        fork=fork if keeper is not None and state.shown else None,
    )


def panel(link: Link, run: LiveRun, adopt: Adopt) -> None:
    """Place the box of kept runs below the picture of the page's run."""
    keeper = sessions.keeper()
    state = sessions.session()
    if not state.is_mine:
        st.info(
            "You are looking at somebody else's run, and cannot change it. Fork it below, and "
            "the branch is yours.",
            icon=":material/visibility:",
        )
    elif state.without_controls:
        st.info(
            f"The controls above do not move this run: {state.without_controls}.",
            icon=":material/tune:",
        )
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
                _plain(f"Kept runs cannot be read now: {fault}"), icon=":material/database_off:"
            )


def _contents(keeper: Keeper, link: Link, run: LiveRun, adopt: Adopt) -> None:
    owner = browser.owner()
    leaves = tree(keeper.of(owner))
    _say()
    _limits(keeper, owner)
    shown = keeper.store.get(sessions.session().shown) if sessions.session().shown else None
    _this_run(keeper, link, run, adopt, shown)
    if leaves:
        st.html(table(leaves, None if shown is None else shown.id, time.time()))
        _actions(keeper, link, adopt, leaves)
    _import(keeper, link, adopt, owner)


def _limits(keeper: Keeper, owner: str) -> None:
    used, limits = keeper.usage(owner), keeper.limits
    st.caption(
        f"{used.n_kept} of {limits.n_kept} kept, {used.n_bytes / 1e6:.0f} of "
        f"{limits.n_bytes / 1e6:.0f} MB. A run is kept when it has a name or is a branch; of the "
        f"others the last {limits.n_recent} stay. Up to {limits.n_playing} play at a time. "
        "Only this browser lists them; whoever has a run's link may look at it and fork it."
    )
    if keeper.fault:
        st.warning(_plain(keeper.fault), icon=":material/database_off:")


# The run on the page ----------------------------------------------------------------------------


def _this_run(
    keeper: Keeper, link: Link, run: LiveRun, adopt: Adopt, shown: Record | None
) -> None:
    if shown is None:
        st.markdown("Play the run, and it is kept: this page's address then leads back to it.")
        return
    is_mine = sessions.session().is_mine
    left, middle, right = st.columns([5, 2, 3], vertical_alignment="bottom")
    if is_mine:
        st.session_state[_NAME] = shown.name
        left.text_input(
            "Name of this run",
            key=_NAME,
            placeholder=title(shown),
            max_chars=MOST_NAME,
            on_change=_rename,
            args=(keeper, shown.id),
        )
    last = max(shown.step, run.status().step if is_mine else 0)
    st.session_state[_STEP] = min(st.session_state.get(_STEP, last), last)
    middle.number_input("Fork at step", 0, last, key=_STEP, step=1)
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

    _try(rename)


def _fork(keeper: Keeper, link: Link, run: LiveRun, adopt: Adopt, shown: Record) -> None:
    step = int(st.session_state[_STEP])
    _try(lambda: _branch_off(keeper, link, run, adopt, shown, step))


def _branch_off(
    keeper: Keeper, link: Link, run: LiveRun, adopt: Adopt, shown: Record, step: int
) -> None:
    values = {name: getattr(run.config, name) for name in LIVE_FIELDS}
    branch = keeper.fork(shown, step, values, browser.owner())
    record = keeper.record_of(branch)
    if record is not None:
        st.session_state.pop(_STEP, None)
        sessions.show(link, adopt, branch, record, is_mine=True)


# All runs ---------------------------------------------------------------------------------------


def table(leaves: Sequence[Leaf], shown: str | None, now: float) -> str:
    """The runs as a tree in a table; every run is a link."""
    rows = "".join(_row(leaf, leaf.record.id == shown, now) for leaf in leaves)
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Run", "Step", "L₆₄", "Last news"))
    return (
        '<div class="lab-runs"><table><caption class="lab-hidden">Kept runs; branches stand '
        f"below the run they were forked from</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(leaf: Leaf, is_shown: bool, now: float) -> str:
    record = leaf.record
    mark = "↳ " if leaf.depth else ""
    name = f'<a href="train?run={record.id}" target="_self">{escape(title(record))}</a>'
    here = ' <span class="here">on this page</span>' if is_shown else ""
    stop = f'<div class="note">stopped: {escape(record.stop.cause)}</div>' if record.stop else ""
    bound = "" if record.bound_64 is None else fixed(record.bound_64)
    current = ' aria-current="true"' if is_shown else ""
    return (
        f'<tr{current}><td style="padding-left:{0.5 + 1.1 * min(leaf.depth, 6):.1f}rem">'
        f"{mark}{name}{here}{stop}</td><td>{record.step:,}</td><td>{bound}</td>"
        f"<td>{when(record.updated, now)}</td></tr>"
    )


def _actions(keeper: Keeper, link: Link, adopt: Adopt, leaves: Sequence[Leaf]) -> None:
    by_id = {leaf.record.id: leaf.record for leaf in leaves}
    chosen_ids = [i for i in st.session_state.get(_CHOSEN, []) if i in by_id]
    st.session_state[_CHOSEN] = chosen_ids
    labels = {i: f"{title(record)} · step {record.step:,}" for i, record in by_id.items()}
    st.multiselect(
        "Choose runs",
        list(by_id),
        key=_CHOSEN,
        format_func=labels.__getitem__,
        placeholder="One to open, export or delete; two or more to compare",
    )
    chosen = [by_id[i] for i in st.session_state[_CHOSEN]]
    row = st.container(horizontal=True)
    one = chosen[0] if len(chosen) == 1 else None
    row.button(
        "Open run",
        icon=":material/folder_open:",
        disabled=one is None,
        on_click=_try,
        args=(functools.partial(_open, link, adopt, one),),
    )
    row.download_button(
        "Export",
        functools.partial(_export, keeper, one),
        file_name="iwae-lab-run.zip",
        mime="application/zip",
        icon=":material/download:",
        disabled=one is None,
        on_click="ignore",
        help="One .zip: the network, every setting and change, the curves as CSV, and a script "
        "that trains the same run again.",
    )
    with row.popover("Delete", icon=":material/delete:", disabled=not chosen):
        st.markdown(f"Delete {_count(len(chosen))}? This cannot be undone.")
        st.button(
            f"Delete {_count(len(chosen))}",
            key="kept.delete",
            type="primary",
            on_click=_try,
            args=(functools.partial(_delete, keeper, link, chosen),),
        )
    if len(chosen) > 1:
        _compare(keeper, chosen, list(by_id.values()))


def _count(n: int) -> str:
    return "1 run" if n == 1 else f"{n} runs"


def _open(link: Link, adopt: Adopt, record: Record | None) -> None:
    if record is not None:
        st.session_state.pop(_STEP, None)
        sessions.open_record(link, adopt, record.id)


def _delete(keeper: Keeper, link: Link, chosen: Sequence[Record]) -> None:
    for record in chosen:
        if record.id == sessions.session().shown:
            sessions.leave()
            sessions.session().shown = ""
            sessions.name(link, "")
        keeper.delete(record)


def _export(keeper: Keeper, record: Record | None) -> bytes:
    if record is None:
        return b""
    bundle = keeper.bundle(record)
    return kept_bundle.pack(bundle, script(bundle))


def script(bundle: kept_bundle.Bundle) -> str:
    """The script that trains a run again."""
    default = type(bundle.lineage.config)()
    settings = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in bundle.lineage.config.to_json().items()
        if getattr(bundle.lineage.config, name) != getattr(default, name)
    }
    changes = tuple((each.step, dict(each.values)) for each in bundle.lineage.changes)
    return code.fill(
        code.template("reproduce"),
        SETTINGS=settings,
        CHANGES=changes,
        N_STEPS=bundle.state.step,
    )


def _compare(keeper: Keeper, chosen: Sequence[Record], everything: Sequence[Record]) -> None:
    compared = []
    for record in chosen:
        keeper.flush(record.id)
        _, held_out, _ = keeper.store.curves(record.id, record.step)
        steps, bound_1, bound_64 = held_out[:, 0], held_out[:, 1], held_out[:, -1]
        compared.append(branches.Branch(title(record), record.step, steps, bound_1, bound_64))
    parted = common_ancestor(chosen, everything)
    comparison = branches.Comparison(
        tuple(record.id for record in chosen), tuple(compared), parted
    )
    charts.show(
        branches.held_out,
        comparison,
        key="kept.compared",
        alt=f"Held-out bounds of {len(chosen)} runs against the step, L64 solid and L1 dashed"
        + ("" if parted is None else f"; they part at step {parted}"),
    )


# A file -----------------------------------------------------------------------------------------


def _import(keeper: Keeper, link: Link, adopt: Adopt, owner: str) -> None:
    number = st.session_state.get(f"{_FILE}.n", 0)  # another key empties the box
    key = f"{_FILE}.{number}"

    def take_in() -> None:
        file = st.session_state.get(key)
        if file is not None:
            st.session_state[f"{_FILE}.n"] = number + 1
            record = keeper.take_in(kept_bundle.unpack(file.getvalue()), owner)
            _tell(f"Imported “{title(record)}” at step {record.step:,}: choose it to open it.")

    st.file_uploader(
        f"Import a run (.zip of Export, up to {kept_bundle.MOST_BYTES / 1e6:.0f} MB)",
        type="zip",
        key=key,
        on_change=_try,
        args=(take_in,),
    )


# Sentences for the reader -----------------------------------------------------------------------


def _try(action: Callable[[], None]) -> None:
    """Do what a button asks; a refusal is told in the panel."""
    try:
        action()
    except (ValueError, SQLAlchemyError, OSError) as fault:
        st.session_state[_SAID] = (True, str(fault))


def _tell(sentence: str) -> None:
    st.session_state[_SAID] = (False, sentence)


def _say() -> None:
    is_error, sentence = st.session_state.pop(_SAID, (False, ""))
    if is_error:
        st.error(_plain(sentence[:1].upper() + sentence[1:]), icon=":material/block:")
    elif sentence:
        st.success(_plain(sentence), icon=":material/check:")


def _plain(text: str) -> str:
    """Text that may hold a stranger's words, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|<>~$:-])", r"\\\1", text)
