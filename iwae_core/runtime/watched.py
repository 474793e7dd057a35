"""The runs and pairs that this server holds for the people who watch them."""

from concurrent.futures import Executor

from iwae_core.runtime import executor
from iwae_core.runtime.held import LEFT_SECONDS, Held
from iwae_core.runtime.lineage import Origin
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.twins import TwinRun
from iwae_core.training import TrainConfig

__all__ = ["KEEP_SECONDS", "LEFT_SECONDS", "PAIRS", "RUNS", "find", "open_pair", "open_run"]

# A page that was closed, or asleep for longer than this, finds its run gone and starts a new one.
KEEP_SECONDS = 600.0
MOST_RUNS = 800  # a class of 300 that reloads its pages leaves as many for some minutes

RUNS: Held[LiveRun] = Held("runs", most=MOST_RUNS, keep_seconds=KEEP_SECONDS)
PAIRS: Held[TwinRun] = Held("pairs of runs", most=MOST_RUNS, keep_seconds=KEEP_SECONDS)

find, close, leave, stay, sweep = RUNS.find, RUNS.close, RUNS.leave, RUNS.stay, RUNS.sweep
n_runs = RUNS.__len__


def open_run(config: TrainConfig | Origin, pool: Executor | None = None) -> LiveRun:
    """Begin a run, paused, on the server's executor or on another.

    Raises:
        ValueError: If the server already holds as many runs as it can.
    """
    return RUNS.add(LiveRun(config, pool or executor.shared()))


def open_pair(
    first: TrainConfig | Origin, second: TrainConfig | Origin, pool: Executor | None = None
) -> TwinRun:
    """Begin a pair, paused, on the server's executor or on another.

    Raises:
        ValueError: If the server already holds as many pairs as it can, or the two are no twins.
    """
    return PAIRS.add(TwinRun(first, second, pool or executor.shared()))
