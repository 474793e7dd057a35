"""An executor that a test runs by hand."""

from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool


class ByHand(Executor):
    """Runs nothing until told: the test decides when a slice finishes, and how."""

    def __init__(self):
        self.waiting = []

    def submit(self, fn, /, *args):
        future = Future()
        self.waiting.append((future, fn, args))
        return future

    def finish(self):
        future, fn, args = self.waiting.pop(0)
        try:
            future.set_result(fn(*args))
        except Exception as fault:
            future.set_exception(fault)

    def kill(self):
        future, _, _ = self.waiting.pop(0)
        future.set_exception(BrokenProcessPool("a worker was killed"))

    def shutdown(self, wait=True, *, cancel_futures=False):
        pass
