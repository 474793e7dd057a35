"""A piece of pure work on an executor, taken again when its worker was killed."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 5  # of one piece; that many deaths are no accident


def attempt(
    pool: Executor,
    work: Callable[[Any], T],
    about: object,
    done: Callable[[T], None],
    failed: Callable[[str], None],
    *,
    tries: int = MOST,
) -> None:
    """Submit ``work(about)``; one of the callbacks hears of its end, from any thread.

    Args:
        pool: Where it runs.
        work: A pure function that a worker can import.
        about: Its argument.
        done: Takes the result.
        failed: Takes the cause, for people: the work's own error, or that no worker lives.
        tries: Deaths of its worker that it is taken again after, less one.
    """
    try:
        future = pool.submit(work, about)
    except RuntimeError as fault:  # the executor has been shut down
        failed(f"no worker takes the work: {fault}")
        return

    def finished(future: "Future[T]") -> None:
        try:
            result = future.result()
        except (BrokenExecutor, CancelledError):
            if tries > 1:
                attempt(pool, work, about, done, failed, tries=tries - 1)
            else:
                failed("the worker processes were stopped")
        except Exception as fault:  # whoever waits must hear of anything
            failed(str(fault) or type(fault).__name__)
        else:
            done(result)

    future.add_done_callback(finished)


def attempt_all(
    pool: Executor,
    work: Callable[[Any], T],
    abouts: Sequence[object],
    done: Callable[[list[T]], None],
    failed: Callable[[int, str], None],
    *,
    tries: int = MOST,
) -> None:
    """Submit ``work`` for each argument; ``done`` hears when all are back, in their order.

    Args:
        pool: Where they run.
        work: As for :func:`attempt`.
        abouts: The arguments.
        done: Takes all results.
        failed: Takes the place of one that came to nothing, and its cause; of each such one.
        tries: As for :func:`attempt`.
    """
    back: dict[int, T] = {}
    lock = threading.Lock()

    def returned(place: int, result: T) -> None:
        with lock:
            back[place] = result
            is_last = len(back) == len(abouts)
        if is_last:
            done([back[i] for i in range(len(abouts))])

    for i, about in enumerate(abouts):
        attempt(pool, work, about, partial(returned, i), partial(failed, i), tries=tries)
