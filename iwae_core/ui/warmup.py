"""Slow imports, done once and in one thread, while the server already answers.

Python's import locks let two threads that import the same large package see it half made. So one
thread imports everything a page needs, and a page waits for it (:func:`wait`) before it starts;
what no page needs to draw itself - the first Adam step, the worker pool - comes after that.
"""

import gc
import importlib
import pkgutil
import threading
from collections.abc import Callable

from iwae_core import ui

_imported = threading.Event()
_imported.set()  # nothing to wait for until a server starts the warm-up
_finished = threading.Event()


def wait(timeout: float = 60.0) -> None:
    """Return when the imports are done; at once where no warm-up was started."""
    _imported.wait(timeout)


def is_finished() -> bool:
    """Whether the whole warm-up, worker pool included, is over."""
    return _finished.is_set()


def start(*after_imports: Callable[[], object]) -> threading.Thread:
    """Import the pages' modules in a daemon thread, then call each function given."""
    _imported.clear()

    def work() -> None:
        try:
            import_modules()
        finally:
            _imported.set()  # after a failure the page itself raises and shows the error
        for step in after_imports:
            step()
        # What exists by now lives as long as the server; later collections skip it.
        gc.collect()
        gc.freeze()
        _finished.set()

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


def import_modules() -> None:
    """Import what pages use, and hold torch to one thread: many sessions share the cores."""
    import torch

    torch.set_num_threads(1)
    # Normalized weights underflow; denormals make later steps up to three times slower.
    torch.set_flush_denormal(True)
    # Pages import streamlit and iwae_core.ui only; its modules bring the rest along.
    for module in pkgutil.iter_modules(ui.__path__, prefix=f"{ui.__name__}."):
        importlib.import_module(module.name)


def adam_step() -> None:
    """Take one dummy step: the first Adam imports torch._dynamo, 0.9 s nobody should wait for."""
    import torch

    parameter = torch.zeros(1, requires_grad=True)
    parameter.grad = torch.ones(1)
    torch.optim.Adam([parameter]).step()
