"""Data that are not simply there: points to draw, a table to upload, files to fetch."""

from typing import Any

import numpy as np
import streamlit as st

from iwae_core import datasets
from iwae_core.datasets import drawn, uploads
from iwae_core.datasets.files import DATA_FOLDER_VARIABLE
from iwae_core.runtime import executor
from iwae_core.ui import canvas, training_config, training_upload
from iwae_core.ui import training_fields as fields
from iwae_core.ui.url import Link

_DOWNLOADS = {"mnist": "11 MB", "fashion_mnist": "30 MB"}


def panel(link: Link) -> None:
    """Place what the chosen data need: a canvas, an uploader, or a way to get the files."""
    chosen = link.value(fields.DATASET)
    if chosen == fields.DRAWN:
        _draw(link)
    elif chosen == fields.UPLOAD:
        training_upload.panel(link)
    else:
        try:
            missing = datasets.missing_files(chosen)
        except ValueError as fault:  # the data folder that the environment names
            st.error(str(fault), icon=":material/folder_off:")
            return
        if missing:
            _fetch(chosen, missing)


def is_here(values: training_config.Values) -> bool:
    """Whether the data can be read without a download; :func:`panel` has said what is missing."""
    name = training_config.dataset_of(values)
    if name.startswith(drawn.PREFIX):
        return True  # with too few points or none: the configuration says so
    if name == uploads.PREFIX:
        return False
    try:
        return not datasets.missing_files(name)
    except ValueError:
        return False


def _draw(link: Link) -> None:
    n = len(drawn.decode(link.value(fields.POINTS)))
    picture, words = st.columns([1, 1], gap="medium")
    with picture:
        canvas.show(
            "points",
            link,
            fields.POINTS,
            alt=f"A square with {n} points drawn by hand, the data to train on.",
            meta={
                "alphabet": drawn.ALPHABET,
                "levels": drawn.N_LEVELS,
                "least": drawn.MIN_POINTS,
                "most": drawn.MAX_POINTS,
            },
            arrays={"none": np.zeros(0)},
        )
    with words:
        st.markdown(
            "**Draw in the square.** A stroke leaves points. With the keyboard: focus the square, "
            "move the cross with the arrow keys, put a point with Enter, take one back with "
            "Backspace."
        )
        st.caption(
            "Every point stands for a small round cloud. 2,000 draws from all clouds train the "
            "model, 1,000 others judge it. The drawing is in the address: the link carries the "
            "data. Each change starts a new run."
        )


def _fetch(name: str, missing: tuple[str, ...]) -> None:
    spec = datasets.find(name)
    files = ", ".join(f"`{file}`" for file in missing)
    size = _DOWNLOADS.get(name)
    either = (
        f"Download them once ({size}), or put"
        if size
        else "They are not downloaded by this program: put"
    )
    with st.container(border=True):
        st.markdown(
            f":material/download: **{spec.title} is not on this machine yet.** Missing: {files}. "
            f"{either} them in a folder and name it by `{DATA_FOLDER_VARIABLE}` before the start."
        )
        if size and st.button(f"Download {spec.title}", icon=":material/download:"):
            fetch(name)


def fetch(name: str) -> None:
    """Download a data set in a worker process, and say what came of it."""
    with st.spinner("Asking the mirrors"):
        try:
            executor.shared().submit(_load, name).result()
        except (OSError, ValueError) as fault:
            st.error(str(fault), icon=":material/cloud_off:")
            return
    st.success("The files are here, and verified.", icon=":material/check:")


def _load(name: str) -> Any:
    return len(datasets.load(name).train)
