"""Slow imports, done once and in one thread, while the server already answers.

Python's import locks let two threads that import the same large package see it half made. So one
thread imports everything a page needs, and a page waits for it (:func:`wait`) before it starts;
what no page needs to draw itself - the first Adam step, the worker pool - comes after that.
"""

import gc
import importlib
import importlib.util
import threading
from collections.abc import Callable

# What the pages import, slowest first. `iwae_core` modules bring their own dependencies along.
_MODULES = (
    "torch",
    "scipy.stats",
    "scipy.special",
    "plotly.graph_objects",
    "iwae_core.ui.charts",
    "iwae_core.ui.controls",
    "iwae_core.ui.code",
    "iwae_core.ui.lesson",
    "iwae_core.ui.runs",
    "iwae_core.ui.live",
)

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
    for name in _MODULES:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)


def adam_step() -> None:
    """Take one dummy step: the first Adam imports torch._dynamo, 0.9 s nobody should wait for."""
    import torch

    parameter = torch.zeros(1, requires_grad=True)
    parameter.grad = torch.ones(1)
    torch.optim.Adam([parameter]).step()
