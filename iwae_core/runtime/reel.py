"""A film of a run within a budget of bytes: the latest pictures all, older ones evenly thinned."""

import bisect
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Picture = TypeVar("Picture")

_OVERHEAD = 600  # bytes of the Python objects around a picture's arrays


@dataclass(slots=True)
class Reel(Generic[Picture]):
    """Pictures by their steps.

    Pictures are numbered as they come. Beside the latest ``n_recent``, those stay whose number is
    a multiple of the stride; when the budget is full, the stride doubles. So whatever a run's
    length, what is kept lies evenly over all of it.

    Attributes:
        budget: Most bytes to hold; the first and the latest stay even if they alone exceed it.
        n_recent: How many of the latest stay whatever their number.
    """

    budget: int
    n_recent: int
    steps: list[int] = field(default_factory=list)
    nbytes: int = 0
    stride: int = 1
    _held: list[tuple[int, Picture, int]] = field(default_factory=list)
    _n_seen: int = 0

    def add(self, step: int, picture: Picture, nbytes: int) -> None:
        """Take in the next picture.

        A second picture of the latest step takes the place of the first. One of an earlier step
        is taken for a replay of what stands here already.
        """
        if self.steps and step < self.steps[-1]:
            return
        if self.steps and step == self.steps[-1]:
            self._drop(len(self.steps) - 1)
        self.steps.append(step)
        self._held.append((self._n_seen, picture, nbytes + _OVERHEAD))
        self.nbytes += nbytes + _OVERHEAD
        self._n_seen += 1
        leaving = len(self._held) - 1 - self.n_recent
        if leaving >= 0 and self._held[leaving][0] % self.stride:
            self._drop(leaving)
        while self.nbytes > self.budget and len(self._held) > self.n_recent + 1:
            self.stride *= 2
            for place in range(len(self._held) - self.n_recent - 1, -1, -1):
                if self._held[place][0] % self.stride:
                    self._drop(place)

    def at(self, step: int) -> tuple[int, Picture] | None:
        """The picture of that step, else the last one before it, else the first; None if empty."""
        if not self.steps:
            return None
        place = max(0, bisect.bisect_right(self.steps, step) - 1)
        return self.steps[place], self._held[place][1]

    def since(self, step: int) -> list[tuple[int, Picture]]:
        """The recent pictures after that step, oldest first."""
        first = max(bisect.bisect_right(self.steps, step), len(self.steps) - self.n_recent)
        return [(self.steps[i], self._held[i][1]) for i in range(first, len(self.steps))]

    def _drop(self, place: int) -> None:
        self.nbytes -= self._held[place][2]
        del self.steps[place], self._held[place]
