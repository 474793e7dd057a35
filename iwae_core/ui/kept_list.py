"""The list of kept runs: a tree in a table, and what one may do with those chosen from it."""

import functools
from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from iwae_core.runtime import kept_bundle
from iwae_core.runtime.kept import Keeper
from iwae_core.runtime.store_record import Record
from iwae_core.ui import charts, code, past, widgets
from iwae_core.ui import kept_said as said
from iwae_core.ui import kept_session as sessions
from iwae_core.ui.kept_session import Adopt
from iwae_core.ui.kept_titles import Leaf, common_ancestor, labels, title, when
from iwae_core.ui.url import Link
from iwae_core.view import branches
from iwae_core.view.numbers import fixed

_CHOSEN = "kept.chosen"
_FILE = "kept.file"


def table(leaves: Sequence[Leaf], shown: str | None, now: float) -> str:
    """The runs as a tree in a table; every run is a link."""
    called = _labels(leaves)
    rows = "".join(
        _row(leaf, called[leaf.record.id], leaf.record.id == shown, now) for leaf in leaves
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Run", "Step", "L₆₄", "When"))
    return (
        '<div class="lab-runs"><table><caption class="lab-hidden">Kept runs; branches stand '
        f"below the run they were forked from</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _labels(leaves: Sequence[Leaf]) -> dict[str, str]:
    return labels((one.record.id, title(one.record), one.record.created) for one in leaves)


def _row(leaf: Leaf, label: str, is_shown: bool, now: float) -> str:
    record = leaf.record
    mark = "↳ " if leaf.depth else ""
    name = f'<a href="train?run={record.id}" target="_self">{escape(label)}</a>'
    here = ' <span class="here">on this page</span>' if is_shown else ""
    stop = f'<div class="note">stopped: {escape(record.stop.cause)}</div>' if record.stop else ""
    bound = "" if record.bound_64 is None else fixed(record.bound_64)
    current = ' aria-current="true"' if is_shown else ""
    return (
        f'<tr{current}><td style="padding-left:{0.5 + 1.1 * min(leaf.depth, 6):.1f}rem">'
        f"{mark}{name}{here}{stop}</td><td>{record.step:,}</td><td>{bound}</td>"
        f"<td>{when(record.updated, now)}</td></tr>"
    )


def actions(keeper: Keeper, link: Link, adopt: Adopt, leaves: Sequence[Leaf]) -> None:
    """Choose runs, and open, export, delete or compare them."""
    by_id = {leaf.record.id: leaf.record for leaf in leaves}
    chosen_ids = [i for i in st.session_state.get(_CHOSEN, []) if i in by_id]
    called = _labels(leaves)
    widgets.put_choice(_CHOSEN, chosen_ids, called)
    st.multiselect(
        "Choose runs",
        list(by_id),
        key=_CHOSEN,
        format_func=called.__getitem__,
        placeholder="One to open, export or delete; two or more to compare",
    )
    chosen = [by_id[i] for i in st.session_state[_CHOSEN]]
    row = st.container(horizontal=True)
    one = chosen[0] if len(chosen) == 1 else None
    row.button(
        "Open run",
        icon=":material/folder_open:",
        disabled=one is None,
        on_click=said.attempt,
        args=(functools.partial(_open, link, adopt, one),),
    )
    row.download_button(
        "Export",
        functools.partial(export, keeper, one),
        file_name="iwae-lab-run.zip",
        mime="application/zip",
        icon=":material/download:",
        disabled=one is None,
        on_click="ignore",
        help="One .zip: the network, every setting and change, the curves as CSV, and a script "
        "that trains the same run again. A small uploaded table travels along.",
    )
    # Another number of runs makes another box, and that one is closed.
    asking = row.popover(
        "Delete", icon=":material/delete:", disabled=not chosen, key=f"kept.ask.{len(by_id)}"
    )
    with asking:
        st.markdown(f"Delete {_count(len(chosen))}? This cannot be undone.")
        st.button(
            f"Delete {_count(len(chosen))}",
            key="kept.delete",
            type="primary",
            on_click=said.attempt,
            args=(functools.partial(_delete, keeper, link, chosen),),
        )
    if len(chosen) > 1:
        _compare(keeper, chosen, called, list(by_id.values()))


def _count(n: int) -> str:
    return "1 run" if n == 1 else f"{n} runs"


def _open(link: Link, adopt: Adopt, record: Record | None) -> None:
    if record is not None:
        sessions.open_record(link, adopt, record.id)


def _delete(keeper: Keeper, link: Link, chosen: Sequence[Record]) -> None:
    for record in chosen:
        if record.id == sessions.session().shown:
            sessions.DESK.clear(link)
        keeper.delete(record)


def export(keeper: Keeper, record: Record | None) -> bytes:
    """A run as the content of a .zip file; empty for none."""
    if record is None:
        return b""
    bundle = keeper.bundle(record)
    return kept_bundle.pack(bundle, script(bundle))


def script(bundle: kept_bundle.Bundle) -> str:
    """The script that trains a run again."""
    return code.fill(
        code.template("reproduce"), **past.constants(bundle.lineage, bundle.state.step)
    )


def _compare(
    keeper: Keeper,
    chosen: Sequence[Record],
    called: Mapping[str, str],
    everything: Sequence[Record],
) -> None:
    compared = []
    for record in chosen:
        keeper.flush(record.id)
        _, held_out, _ = keeper.store.curves(record.id, record.step)
        steps, bound_1, bound_64 = held_out[:, 0], held_out[:, 1], held_out[:, -1]
        compared.append(branches.Branch(called[record.id], record.step, steps, bound_1, bound_64))
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


def take_file(keeper: Keeper, owner: str) -> None:
    """Import a run from a file; a broken one is refused with a sentence."""

    def take_in(content: bytes) -> str:
        record = keeper.take_in(kept_bundle.unpack(content), owner)
        return f"“{title(record)}” at step {record.step:,}"

    said.take_file("Import a run (.zip of Export", _FILE, take_in)
