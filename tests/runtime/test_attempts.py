"""A piece of work whose worker may be killed: taken again, and told of when it is hopeless."""

from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool

from iwae_core.runtime.attempts import MOST, attempt


class ByHand(Executor):
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
        self.waiting.pop(0)[0].set_exception(BrokenProcessPool("a worker was killed"))


class Closed(Executor):
    def submit(self, fn, /, *args):
        raise RuntimeError("cannot schedule new futures after shutdown")


def inverse(number):
    return 1 / number


def begun(pool, number):
    done, failed = [], []
    attempt(pool, inverse, number, done.append, failed.append)
    return done, failed


def test_a_killed_worker_costs_one_attempt():
    pool = ByHand()
    done, failed = begun(pool, 4)
    for _ in range(MOST - 1):
        pool.kill()
    pool.finish()
    assert (done, failed) == ([0.25], [])


def test_work_that_always_dies_is_given_up():
    pool = ByHand()
    done, failed = begun(pool, 4)
    for _ in range(MOST):
        pool.kill()
    assert not pool.waiting
    assert (done, failed) == ([], ["the worker processes were stopped"])


def test_the_works_own_error_is_told_and_not_tried_again():
    pool = ByHand()
    done, failed = begun(pool, 0)
    pool.finish()
    assert not pool.waiting
    assert (done, failed) == ([], ["division by zero"])


def test_a_closed_executor_is_told():
    done, failed = begun(Closed(), 4)
    assert not done
    assert failed == ["no worker takes the work: cannot schedule new futures after shutdown"]
