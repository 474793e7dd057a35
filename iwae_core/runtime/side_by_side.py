"""A run of the two smallest scripts in worker processes: slice after slice, with a way to stop.

Each slice is submitted when the one before it has come back, so other people's slices get their
turn between. A run whose page no longer asks for it ends by itself.
"""

import threading
import time
from concurrent.futures import CancelledError, Executor, Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from iwae_core.evaluation.studies.side_by_side import (
    SCRIPTS,
    Progress,
    SideBySideConfig,
    SideBySideReport,
    advance,
    report,
)

_SLICE = 2000  # samples per datapoint and slice: about a third of a second
_LEASE = 20.0  # seconds without a question after which nobody waits
_TRIES = 3  # for a slice whose worker was killed


class Twins:
    """One run; start it with :meth:`start`, ask :meth:`share` now and then, take ``report``."""

    def __init__(self, config: SideBySideConfig, pool: Executor) -> None:
        self.config = config
        self.report: SideBySideReport | None = None
        self.fault = ""
        self._pool = pool
        self._lock = threading.Lock()
        self._at = {name: Progress(name=name, config=config) for name in SCRIPTS}
        self._asked = time.monotonic()
        self.stopped = False

    def start(self) -> None:
        """Submit the first slice of each script."""
        for name in SCRIPTS:
            self._submit(name)

    def cancel(self) -> None:
        """Submit no more slices."""
        self.stopped = True

    def share(self) -> float:
        """How much is done, from 0 to 1; whoever asks is still waiting."""
        self._asked = time.monotonic()
        done = sum(len(progress.bounds) for progress in self._at.values())
        return done / (len(SCRIPTS) * self.config.n_steps)

    def _submit(self, name: str, tries: int = _TRIES) -> None:
        n_samples = self.config.n_samples if name == "iwae" else 1
        n_steps = min(250, max(20, _SLICE // n_samples))
        future = self._pool.submit(advance, self._at[name], n_steps)
        future.add_done_callback(partial(self._take, name, tries))

    def _take(self, name: str, tries: int, future: "Future[Progress]") -> None:
        if self.stopped or time.monotonic() - self._asked > _LEASE:
            self.stopped = True
            return
        try:
            progress = future.result()
        except (BrokenProcessPool, CancelledError):
            if tries > 1:
                self._submit(name, tries - 1)
            else:
                self.fault = "the worker processes were stopped; press Run both again"
            return
        except Exception as fault:  # a page that waits must hear of anything
            self.fault = f"{type(fault).__name__}: {fault}"
            return
        with self._lock:
            self._at[name] = progress
            ended = all(one.log_w is not None for one in self._at.values())
        if progress.log_w is None:
            self._submit(name)
        elif ended:
            self.report = report(self._at["vae"], self._at["iwae"])
