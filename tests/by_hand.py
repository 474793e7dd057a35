"""An executor that a test runs by hand."""

from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool

from iwae_core.runtime.slices import look_deep


class ByHand(Executor):
    """Runs nothing until told: the test decides when a slice finishes, and how.

    Deep bounds, which a run asks for beside its slices when some time has passed, wait apart: a
    slow machine asks for more of them.
    """

    def __init__(self):
        self.waiting = []
        self.beside = []

    def submit(self, fn, /, *args):
        future = Future()
        (self.beside if fn is look_deep else self.waiting).append((future, fn, args))
        return future

    def finish(self):
        self._carry_out(*self.waiting.pop(0))

    def finish_beside(self):
        self._carry_out(*self.beside.pop(0))

    def _carry_out(self, future, fn, args):
        try:
            future.set_result(fn(*args))
        except Exception as fault:
            future.set_exception(fault)

    def kill(self):
        future, _, _ = self.waiting.pop(0)
        future.set_exception(BrokenProcessPool("a worker was killed"))

    def shutdown(self, wait=True, *, cancel_futures=False):
        pass
