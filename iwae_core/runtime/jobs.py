"""Heavy studies on the executor, in steps; shared by all who wait for one, kept when done.

A step is one call in a worker process, and the next one is submitted when it ends. So a study
takes one worker at a time, its progress is known, and it stops between two steps as soon as nobody
waits for it. A step that a killed worker loses is taken again once. A part that takes long may be
a chain: a value that says how far it has come, which further steps move on until it is done.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from iwae_core.runtime import executor

_MOST_KEPT = 64
_TRIES = 2  # for one step, where workers are killed

_lock = threading.RLock()
_jobs: "OrderedDict[Hashable, Job]" = OrderedDict()
_took: dict[str, float] = {}  # s of a step of that kind, as last measured


class Chain(Protocol):
    """Work that is a value: how far it has come, and whether it is over."""

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is to be worked out.

    Attributes:
        kind: Names the study; with ``args`` the key of its result.
        work: A function that a worker can import: ``work(*args)`` is the result; where there are
            ``parts`` it is ``work(*args, part)`` for each of them.
        args: Hashable.
        parts: One step each.
        onward: If given, every part's result is a :class:`Chain`, and this moves it on by a step,
            again and again until it is done; only then does the next part begin.
        gather: With parts, ``gather(*args, results of the parts)`` is the result: a last step.
            Without it the list of the parts' results is.
        label: What is being worked out, for the reader.
        seconds: How long all of it takes on a usual machine.
    """

    kind: str
    work: Callable[..., Any]
    args: tuple[Hashable, ...]
    parts: tuple[Hashable, ...] = ()
    onward: Callable[[Any], Any] | None = None
    gather: Callable[..., Any] | None = None
    label: str
    seconds: float

    @property
    def key(self) -> Hashable:
        """What makes two studies the same."""
        return (self.kind, *self.args)

    @property
    def n_steps(self) -> int:
        """Calls of a worker; a chain counts as one."""
        return len(self.parts) + (self.gather is not None) if self.parts else 1


class Job:
    """One study on its way through the workers, or at its end."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.began = time.monotonic()
        self.so_far: list[Any] = []  # results of the steps that have ended
        self.whole: Future[Any] = Future()  # the result
        self.waiting = 0  # sessions
        self._chain: Chain | None = None  # of the part that is on its way
        self._tries = 0
        self._step: Future[Any] | None = None
        self._step_began = self.began

    @property
    def share(self) -> float:
        """Share done in [0, 1]; within a step by the clock, and never quite to its end."""
        n = self.study.n_steps
        if self._chain is not None:
            return (len(self.so_far) + self._chain.share) / n
        usual = _took.get(self.study.kind, self.study.seconds / n)
        within = min(0.95, (time.monotonic() - self._step_began) / max(usual, 1e-3))
        return (len(self.so_far) + (within if self.is_running else 0.0)) / n

    @property
    def is_running(self) -> bool:
        """Whether a worker is at it, or it waits for one to be free."""
        return self._step is not None and self._step.running()

    def go_on(self) -> None:
        """Submit the next step, unless nobody waits or that was the last."""
        study, done = self.study, len(self.so_far)
        if done == study.n_steps:
            self.whole.set_result(
                self.so_far if study.parts and not study.gather else self.so_far[-1]
            )
            return
        with _lock:
            if self.waiting <= 0:
                self._drop()
                return
        call: Callable[[], Any]
        if self._chain is not None and study.onward is not None:
            call = partial(study.onward, self._chain)
        elif done < len(study.parts):
            call = partial(study.work, *study.args, study.parts[done])
        elif study.parts and study.gather:
            call = partial(study.gather, *study.args, list(self.so_far))
        else:
            call = partial(study.work, *study.args)
        self._step_began = time.monotonic()
        self._step = step = executor.shared().submit(call)
        step.add_done_callback(self._ended)

    def leave(self) -> None:
        """One session fewer waits: without any, a step that no worker has begun is not begun."""
        with _lock:
            self.waiting -= 1
            if self.waiting <= 0 and self._step is not None and not self.whole.done():
                self._step.cancel()  # its end comes to `_ended`

    def _ended(self, step: Future[Any]) -> None:
        try:
            found = step.result()
        except CancelledError:
            with _lock:
                if self.waiting <= 0:
                    self._drop()
                    return
            self.go_on()  # somebody has come back meanwhile
        except BrokenProcessPool as fault:
            self._tries += 1
            if self._tries < _TRIES:
                self.go_on()
            else:
                self._fail(fault)
        except Exception as fault:  # the study's own
            self._fail(fault)
        else:
            self._tries = 0
            if self.study.onward is not None and not found.done:
                self._chain = found
                self.go_on()
                return
            self._chain = None
            self.so_far.append(found)
            _took[self.study.kind] = time.monotonic() - self._step_began
            self.go_on()

    def _fail(self, fault: Exception) -> None:
        """Tell those who wait; who asks next begins anew."""
        forget(self.study)
        self.whole.set_exception(fault)

    def _drop(self) -> None:
        if _jobs.get(self.study.key) is self:
            _jobs.pop(self.study.key)
        self.whole.cancel()


def find(study: Study) -> Job | None:
    """The job of a study, if it is on its way or was kept."""
    return _jobs.get(study.key)


def join(study: Study) -> Job:
    """Wait for a study, which begins if it has not; :meth:`Job.leave` takes that back."""
    with _lock:
        job = _jobs.get(study.key)
        is_new = job is None
        if job is None:
            job = _jobs[study.key] = Job(study)
        job.waiting += 1
        _jobs.move_to_end(study.key)
        ended = [key for key, one in _jobs.items() if one.whole.done()]
        for key in ended[: max(0, len(_jobs) - _MOST_KEPT)]:
            _jobs.pop(key)
    if is_new:
        job.go_on()
    return job


def forget(study: Study) -> None:
    """Work it out anew when it is next asked for."""
    with _lock:
        _jobs.pop(study.key, None)
