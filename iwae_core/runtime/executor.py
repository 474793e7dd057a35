"""Where slices run: worker processes, here or elsewhere, behind the standard Executor interface.

A page never trains. It submits slices to an executor, any ``concurrent.futures.Executor``. The
local one is loky's, which notices a killed worker and, unlike the standard library's pool, starts
its processes without importing ``__main__`` again (under Streamlit that would run the page). A
Dask cluster stands in for it where ``IWAE_LAB_SCHEDULER`` names a scheduler.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from loky.process_executor import ProcessPoolExecutor

SCHEDULER = "IWAE_LAB_SCHEDULER"


class Workers(Executor):
    """An executor that says how many calls it works on at a time.

    Attributes:
        n_workers: That many.
    """

    n_workers: int


def local(n_workers: int) -> Workers:
    """A pool of ``n_workers`` processes on this machine, one torch thread each.

    Call :func:`warm` before the first user: a fresh worker imports torch for about 2 seconds.

    Raises:
        ValueError: If ``n_workers`` is below 1.
    """
    if n_workers < 1:
        raise ValueError(f"n_workers must be at least 1, got {n_workers}")
    return _RestartingPool(n_workers)


def cluster(address: str) -> Workers:
    """The workers of a Dask cluster; each is made ready as :func:`local`'s are, also a later one.

    Needs the extra ``iwae-lab[cluster]`` here, and iwae_core with the same torch on each worker.

    Args:
        address: The scheduler's, as ``tcp://host:8786``.

    Raises:
        ConnectionError: If no scheduler answers there, or it has no worker that can train.
        ImportError: If Dask is not installed.
    """
    try:
        from iwae_core.runtime.dask_cluster import DaskCluster
    except ImportError as fault:
        raise ImportError(
            f"a cluster needs Dask ({fault}): pip install 'iwae-lab[cluster]'"
        ) from fault
    return DaskCluster(address)


class _RestartingPool(Workers):
    """A loky pool that is replaced when a killed worker has broken it.

    The futures of a broken pool fail with ``BrokenProcessPool``; who submitted them submits them
    again and reaches the new pool.
    """

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers
        self._lock = threading.Lock()
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            max_workers=self.n_workers,
            initializer=_warm_worker,
            env={
                "OMP_NUM_THREADS": "1",
                "MKL_NUM_THREADS": "1",
                # loky takes 300 MB more than at first for a leak and starts the worker anew, for
                # seconds. Torch keeps that much for reuse after one step of K = 50 on MNIST.
                "LOKY_MAX_MEMORY_LEAK_SIZE": "2e9",
            },
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with self._lock:
            try:
                return self._pool.submit(fn, *args, **kwargs)
            except BrokenProcessPool:
                self._pool.shutdown(wait=False, kill_workers=True)
                self._pool = self._start()
                return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        # A slice in flight is worth a quarter of a second and can be taken again. Whoever hears
        # of its end may submit another, so the lock is not held while that is told.
        with self._lock:
            pool = self._pool
        pool.shutdown(wait=wait, kill_workers=True)


def _warm_worker() -> None:
    """Make a process ready that should not disturb the one that serves."""
    with contextlib.suppress(OSError):
        os.nice(10)  # before the imports, which would slow down the first visitor's page
    prepare()


def prepare() -> None:
    """Import what a slice needs, in the process that will run it: one torch thread, all warm."""
    import torch

    torch.set_num_threads(1)
    # What pages ask of workers besides slices: a sixth of a second for the first who asks.
    from iwae_core.evaluation.studies import board, fans  # noqa: F401
    from iwae_core.training import TrainConfig, advance, begin
    from iwae_core.training.frame import observe

    # First calls are slow: kernels are chosen, modules imported. Nobody should wait for that.
    observe(advance(begin(TrainConfig(hidden=(2,), latent_dim=2)), 1).state)


_shared: Workers | None = None
_stopping = False
_shared_lock = threading.Lock()


def n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def shared() -> Workers:
    """The executor of this server, started at the first call; the launcher calls first.

    It is the cluster that the variable ``IWAE_LAB_SCHEDULER`` names, else one worker a core.

    Raises:
        ConnectionError, ImportError: As :func:`cluster`.
        RuntimeError: While :func:`stop_shared` is at work.
    """
    global _shared
    with _shared_lock:
        if _stopping:
            raise RuntimeError("the worker processes are being stopped")
        if _shared is None:
            address = os.environ.get(SCHEDULER)
            _shared = cluster(address) if address else local(n_cores())
        return _shared


def warm(executor: Executor) -> None:
    """Wait until the executor answers, so that the first user need not."""
    executor.submit(os.getpid).result()


def stop_shared() -> None:
    """End the shared executor's processes; the next :func:`shared` starts anew.

    Pieces in flight fail meanwhile, and those who hear of it may ask for the executor: they are
    refused, rather than made to wait for the lock or given new processes.
    """
    global _shared, _stopping
    with _shared_lock:
        pool, _shared, _stopping = _shared, None, True
    try:
        if pool is not None:
            pool.shutdown()
    finally:
        with _shared_lock:
            _stopping = False
