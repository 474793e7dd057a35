"""The list of kept pairs, and what one may do with one chosen from it."""

from collections.abc import Callable, Sequence
from functools import partial
from html import escape

import streamlit as st

from iwae_core.runtime import kept_pair_bundle
from iwae_core.runtime.kept import Keeper
from iwae_core.runtime.kept_pairs import Records
from iwae_core.runtime.store_record import Record
from iwae_core.ui import kept_list, kept_titles, twins_live, widgets
from iwae_core.ui import kept_said as said
from iwae_core.view.numbers import fixed

_CHOSEN = "twins.chosen"
_FILE = "twins.file"


def title(records: Records) -> str:
    """The pair's name, or what its sides are."""
    return records[0].name or " | ".join(map(_side, records))


def _side(record: Record) -> str:
    try:
        return twins_live.title(record.lineage.config_now())
    except ValueError:  # made by another version of the program
        return kept_titles.title(record)


def table(pairs: Sequence[Records], shown: str, now: float) -> str:
    """The pairs as a table; each is a link, and so is each of its runs."""
    called = _labels(pairs)
    rows = "".join(
        _row(records, called[records[0].id], records[0].id == shown, now) for records in pairs
    )
    names = ("Pair", "Step", "L₆₄ of A, B", "When")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        '<div class="lab-runs"><table><caption class="lab-hidden">Kept pairs</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _labels(pairs: Sequence[Records]) -> dict[str, str]:
    return kept_titles.labels((each[0].id, title(each), each[0].created) for each in pairs)


def _row(records: Records, label: str, is_shown: bool, now: float) -> str:
    first = records[0]
    name = f'<a href="twins?pair={first.id}" target="_self">{escape(label)}</a>'
    here = ' <span class="here">on this page</span>' if is_shown else ""
    sides = ", ".join(
        f'<a href="train?run={record.id}" target="_self">{side} alone</a>'
        for side, record in zip("AB", records, strict=True)
    )
    bounds = ", ".join("" if r.bound_64 is None else fixed(r.bound_64) for r in records)
    current = ' aria-current="true"' if is_shown else ""
    return (
        f'<tr{current}><td>{name}{here}<div class="note">{sides}</div></td>'
        f"<td>{first.step:,}</td><td>{bounds}</td>"
        f"<td>{kept_titles.when(first.updated, now)}</td></tr>"
    )


def actions(
    keeper: Keeper,
    pairs: Sequence[Records],
    *,
    open_one: Callable[[str], None],
    delete: Callable[[str], None],
) -> None:
    """Choose a pair, and open, export or delete it."""
    by_id = {records[0].id: records for records in pairs}
    called = _labels(pairs)
    held = st.session_state.get(_CHOSEN)
    widgets.put_choice(_CHOSEN, held if held in by_id else None, called)
    chosen = st.selectbox(
        "Choose a pair",
        list(by_id),
        key=_CHOSEN,
        format_func=called.__getitem__,
        placeholder="To open, export or delete",
    )
    none = chosen is None
    row = st.container(horizontal=True)
    row.button(
        "Open pair",
        icon=":material/folder_open:",
        disabled=none,
        on_click=said.attempt,
        args=(partial(open_one, chosen or ""),),
    )
    row.download_button(
        "Export pair",
        lambda: b"" if chosen is None else export(keeper, by_id[chosen]),
        file_name="iwae-lab-pair.zip",
        mime="application/zip",
        icon=":material/download:",
        disabled=none,
        on_click="ignore",
        help="One .zip, to be imported below, on this server or another: A.zip and B.zip, each a "
        "run that the page Train imports alone, and pair.csv, how the two compare.",
    )
    # Another number of pairs makes another box, and that one is closed.
    asking = row.popover(
        "Delete pair", icon=":material/delete:", disabled=none, key=f"twins.ask.{len(by_id)}"
    )
    with asking:
        st.markdown("Delete both runs of this pair? This cannot be undone.")
        st.button(
            "Delete both",
            type="primary",
            on_click=said.attempt,
            args=(partial(delete, chosen or ""),),
        )


def export(keeper: Keeper, records: Records) -> bytes:
    """A pair as the content of a .zip file: two runs as they are exported alone, and a table."""
    bundle = keeper.pairs.bundle(records)
    first, second = map(kept_list.script, bundle.sides)
    return kept_pair_bundle.pack(bundle, (first, second))


def take_file(keeper: Keeper, owner: str) -> None:
    """Import a pair from a file; a broken one is refused with a sentence."""

    def take_in(content: bytes) -> str:
        records = keeper.pairs.take_in(kept_pair_bundle.unpack(content), owner)
        return f"“{title(records)}” at step {records[0].step:,}"

    said.take_file("Import a pair (.zip of Export pair", _FILE, take_in)
