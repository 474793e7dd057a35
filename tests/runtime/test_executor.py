"""The shared executor's end: nobody waits for ever, and nobody starts it again meanwhile."""

import threading
import time
from concurrent.futures import Future

import patience
import pytest

from iwae_core.runtime import executor
from iwae_core.runtime.queue import FairQueue


class Pool:
    """Fails what is in flight when it is shut down, from a thread of its own, as loky does."""

    def __init__(self):
        self.promises = []

    def submit(self, fn, /, *args):
        self.promises.append(Future())
        return self.promises[-1]

    def shutdown(self, wait=True, *, cancel_futures=False):
        def fail():
            for promise in self.promises:
                promise.set_exception(RuntimeError("the executor was shut down"))

        teller = threading.Thread(target=fail)
        teller.start()
        teller.join(timeout=patience.SECONDS)
        assert not teller.is_alive(), "who was told of the end waits for it"


@pytest.fixture
def pools(monkeypatch):
    made = []

    def local(n_workers):
        made.append(Pool())
        return made[-1]

    monkeypatch.setattr(executor, "local", local)
    monkeypatch.setattr(executor, "_shared", None)
    return made


def test_a_queue_whose_executor_is_stopped_tells_those_who_wait(pools):
    queue = FairQueue(executor.shared, 1)
    lane = queue.lane("a browser")
    promises = [lane.submit(abs, -3) for _ in range(5)]  # two handed over, three waiting
    stopped = threading.Thread(target=executor.stop_shared)
    stopped.start()
    stopped.join(timeout=patience.SECONDS)
    assert not stopped.is_alive()
    end = time.monotonic() + patience.SECONDS
    while not all(promise.done() for promise in promises):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert all(isinstance(promise.exception(), RuntimeError) for promise in promises)
    assert len(pools) == 1  # and no new processes


def test_the_executor_starts_anew_after_its_end(pools):
    first = executor.shared()
    executor.stop_shared()
    assert executor.shared() is not first
    assert len(pools) == 2
