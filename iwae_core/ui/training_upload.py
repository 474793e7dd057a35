"""Upload a table: choose a CSV file, its columns and its classes, and train on them."""

import streamlit as st

from iwae_core import datasets
from iwae_core.datasets import csv_file, uploads
from iwae_core.datasets.csv_file import CsvFile, read_csv
from iwae_core.datasets.tables import make_table
from iwae_core.ui import training_fields as fields
from iwae_core.ui.url import Link

_READ = "training.csv"  # the file last read in this session: its id, and what came of it
_FEW_COLUMNS = 24  # that a reader may want to pick from by name
_NO_CLASSES = "(none)"


def panel(link: Link) -> None:
    """Place the uploader, and below it what the file can become."""
    with st.container(border=True):
        uploaded = st.file_uploader(
            f"CSV file ({csv_file.MIN_ROWS} to {csv_file.MOST_ROWS:,} rows, at most "
            f"{csv_file.MOST_COLUMNS:,} columns and {csv_file.MOST_BYTES // 2**20} MB)",
            type=["csv", "tsv", "txt"],
            key="training.upload",
            max_upload_size=csv_file.MOST_BYTES // 2**20,
            help="Columns of numbers, with or without a header; a column of words can name "
            "classes. The table stays on the server; whoever has the link can train on it.",
        )
        if uploaded is None:
            st.session_state.pop(_READ, None)
        else:
            try:
                file = _read(uploaded.file_id, uploaded.getvalue())
                _offer(link, *_choose(file, uploaded.file_id))
            except ValueError as fault:
                st.error(f"{uploaded.name}: {fault}.", icon=":material/table_view:")
        _say_what_is_there(link)


def _say_what_is_there(link: Link) -> None:
    digest = link.value(fields.TABLE)
    if not digest:
        return
    try:
        data = datasets.load(uploads.PREFIX + digest)
    except (OSError, ValueError) as fault:
        st.warning(str(fault), icon=":material/link_off:")
        return
    # In code spans: a name is a stranger's text.
    names = ", ".join(f"`{name.replace('`', '')[:40]}`" for name in data.column_names[:6])
    names += ", ..." if len(data.column_names) > 6 else ""
    st.markdown(f":material/table_view: **Training on your table.** {data.description} {names}")


def _read(file_id: str, content: bytes) -> CsvFile:
    """The file, read once in a session; ValueError says why it is no table."""
    held: tuple[str, CsvFile] | None = st.session_state.get(_READ)
    if held is None or held[0] != file_id:
        held = st.session_state[_READ] = (file_id, read_csv(content))
    return held[1]


def _choose(file: CsvFile, file_id: str) -> tuple[CsvFile, list[str], str | None]:
    # Another file has other columns: what was chosen for the last one says nothing of them.
    left, right = st.columns([2, 1])
    labels = file.labels()
    words = [column.name for column in file.columns if column.is_text and column.classes]
    with right:
        chosen = st.selectbox(
            "Classes, for the colors only",
            [_NO_CLASSES, *labels],
            index=1 if words else 0,
            key=f"training.upload.label.{file_id}",
        )
    label = None if chosen == _NO_CLASSES else chosen
    usable = [name for name in file.usable() if name != label]
    with left:
        if len(usable) > _FEW_COLUMNS:
            st.markdown(f"All {len(usable)} columns of numbers")
            return file, usable, label
        picked = st.multiselect(
            "Columns to learn",
            [column.name for column in file.columns if not column.is_text],
            default=usable,
            key=f"training.upload.columns.{file_id}",
        )
    return file, [name for name in picked if name != label], label


def _offer(link: Link, file: CsvFile, columns: list[str], label: str | None) -> None:
    table = make_table(file, columns, label)
    st.caption(table.describe())
    if not st.button("Train on this table", icon=":material/model_training:", type="primary"):
        return
    try:
        name = uploads.keep(table)
    except OSError as fault:
        st.error(f"The server could not keep the table: {fault.strerror or fault}.")
        return
    digest = name.removeprefix(uploads.PREFIX)
    link.set(fields.TABLE, digest)  # no widget holds it: for the runs of the page to come
    link.accept(fields.TABLE, digest)  # and for this one
