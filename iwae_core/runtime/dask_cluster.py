"""Slices on a Dask cluster's workers: other machines, under SLURM or Kubernetes, with GPUs."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from distributed import Client, Worker, WorkerPlugin

from iwae_core.runtime import executor

PATIENCE_SECONDS = 30  # for the scheduler, and for its first worker


class DaskCluster(executor.Workers):
    """The workers behind one Dask scheduler, as an executor.

    Dask itself takes a call again when its worker dies, and reconnects to a scheduler that was
    started anew; the calls that it had in hand then fail with ``CancelledError``.

    Args:
        address: The scheduler's, as ``tcp://host:8786``.

    Attributes:
        n_workers: Calls that the cluster worked on at a time when it was reached.

    Raises:
        ConnectionError: If no scheduler answers there, or it has no worker with this package.
    """

    def __init__(self, address: str) -> None:
        try:
            self._client = Client(address, timeout=PATIENCE_SECONDS, set_as_default=False)
        except (OSError, ValueError) as fault:
            raise ConnectionError(
                f"no Dask scheduler answers at {address!r} ({fault}); "
                "is it running, and is the address the one that it printed?"
            ) from fault
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
            self._client.register_plugin(_Prepared())
        except Exception as fault:  # whatever a worker's import raises arrives here
            self._client.close()
            raise ConnectionError(
                f"the scheduler at {address!r} has no worker that can train ({fault}); start one, "
                "with iwae_core and the same torch installed: dask worker <address> --nthreads 1"
            ) from fault
        self.n_workers = sum(self._client.ncores().values())
        # Work is a pure function, but the same call made again must run again: it was lost.
        self._executor = self._client.get_executor(pure=False)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Hand a call to the cluster."""
        future: Future[Any] = self._executor.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster, which goes on; calls in flight are cancelled."""
        self._executor.shutdown(wait=False)
        self._client.close()


class _Prepared(WorkerPlugin):
    """Makes each worker ready, and those that join later."""

    name = "iwae-lab"

    def setup(self, worker: Worker) -> None:
        executor.prepare()
