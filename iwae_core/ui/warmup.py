"""Slow imports and first calls, done before the first visitor needs them.

Python's import locks let two threads that import the same large package see it half made, and a
script thread that starts on torch keeps its visitor waiting for it. So the server imports
everything that pages use before it answers at all (:func:`import_modules`), and warms what no page
needs to draw itself, such as the worker pool, while it already serves (:func:`start`).
"""

import gc
import importlib
import pkgutil
import threading
from collections.abc import Callable

from iwae_core import ui

_finished = threading.Event()


def is_finished() -> bool:
    """Whether the whole warm-up, worker pool included, is over."""
    return _finished.is_set()


def import_modules() -> None:
    """Import what pages use, and hold torch to one thread: many sessions share the cores."""
    # A million objects come, and all of them stay: nothing to collect on the way.
    gc.disable()
    try:
        import torch

        torch.set_num_threads(1)
        # Pages import streamlit and iwae_core.ui only; its modules bring the rest along.
        for module in pkgutil.iter_modules(ui.__path__, prefix=f"{ui.__name__}."):
            importlib.import_module(module.name)
        gc.freeze()
    finally:
        gc.enable()


def start(*steps: Callable[[], object]) -> threading.Thread:
    """Call each function given in a daemon thread, then set the heap aside."""
    _finished.clear()

    def work() -> None:
        for step in steps:
            step()
        # What exists by now lives as long as the server; later collections skip it.
        gc.collect()
        gc.freeze()
        _finished.set()

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread
