"""The runs that this server holds for the people who watch them, found by an unguessable id."""

import threading
import time
from concurrent.futures import Executor

from iwae_core.runtime import executor
from iwae_core.runtime.lineage import Origin
from iwae_core.runtime.live import LiveRun
from iwae_core.training import TrainConfig

# A page that was closed, or asleep for longer than this, finds its run gone and starts a new one.
KEEP_SECONDS = 600.0
MOST_RUNS = 400

LEFT_SECONDS = 10.0  # after the last poll of a run that its page has left

_runs: dict[str, LiveRun] = {}
_left: set[str] = set()
_lock = threading.Lock()


def open_run(config: TrainConfig | Origin, pool: Executor | None = None) -> LiveRun:
    """Begin a run, paused, on the server's executor or on another.

    Raises:
        ValueError: If the server already holds as many runs as it can.
    """
    sweep()
    with _lock:
        if len(_runs) >= MOST_RUNS:
            raise ValueError(
                f"this server holds {MOST_RUNS} runs, its limit; try again in some minutes"
            )
        run = LiveRun(config, pool or executor.shared())
        _runs[run.run_id] = run
    return run


def find(run_id: str) -> LiveRun | None:
    """The run of that id, or None when it is gone."""
    with _lock:
        return _runs.get(run_id)


def close(run_id: str) -> None:
    """End a run and forget it; an unknown id is already forgotten."""
    with _lock:
        run = _runs.pop(run_id, None)
    if run is not None:
        run.close()


def leave(run_id: str) -> None:
    """Pause a run that its page turns away from; it ends when nobody polls it any more.

    The page's picture may ask for it once more, and another page may still show it.
    """
    run = find(run_id)
    if run is not None:
        run.pause()
        with _lock:
            _left.add(run_id)
    sweep()


def stay(run_id: str) -> None:
    """A page shows the run again."""
    with _lock:
        _left.discard(run_id)


def sweep(now: float | None = None) -> None:
    """Forget the runs that nobody has polled for ``KEEP_SECONDS``, and sooner those left."""
    now = time.monotonic() if now is None else now
    with _lock:
        idle = [
            run_id
            for run_id, run in _runs.items()
            if now - run.last_poll > (LEFT_SECONDS if run_id in _left else KEEP_SECONDS)
        ]
        _left.difference_update(idle)
    for run_id in idle:
        close(run_id)


def n_runs() -> int:
    """How many runs the server holds."""
    with _lock:
        return len(_runs)
