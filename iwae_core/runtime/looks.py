"""How often a run may be looked at: every kind of look has its share of the time of the workers.

As soon as a look has become dearer, there are fewer of its kind; together they take less than a
tenth of the time, whatever the network and the machine.
"""

import math
from dataclasses import dataclass

from iwae_core.runtime.slices import Deep, Done

_GLANCES_PER_SECOND = 30.0  # of training; a screen shows no more
_GLANCE_SHARE = 0.04  # of the time, at most, that goes to glances on the way
_FRAME_SHARE = 0.03  # to frames
_DEEP_SHARE = 0.015  # to bounds with 512 samples
_FIRST_DEEP = 0.5  # seconds of training before the first of those


@dataclass(slots=True)
class Looks:
    """What looking at one run has cost lately, in seconds, and what that leaves room for."""

    _glance: float = 0.0
    _frame: float = 0.0
    _frame_before: float = math.inf
    _deep: float = _FIRST_DEEP * _DEEP_SHARE
    _since_frame: float = math.inf  # of training
    _since_deep: float = 0.0
    _deep_asked: bool = False

    @property
    def glance_every(self) -> float:
        """Seconds of training between two glances."""
        return max(1 / _GLANCES_PER_SECOND, self._glance / _GLANCE_SHARE)

    def time_for_frame(self) -> bool:
        """Whether the next slice may end with a whole frame."""
        return self._since_frame * _FRAME_SHARE >= self._frame

    def time_for_deep(self, at_rest: bool = False) -> bool:
        """Whether to ask for a deep bound now; who is told so asks, once.

        Args:
            at_rest: The run stands still and lacks it: no training has to wait.
        """
        due = at_rest or self._since_deep * _DEEP_SHARE >= self._deep
        if self._deep_asked or not due:
            return False
        self._deep_asked, self._since_deep = True, 0.0
        return True

    def took(self, done: Done) -> None:
        """Note what a slice's looks cost."""
        if len(done.records.step):
            self._since_frame += done.step_seconds
            self._since_deep += done.step_seconds
        if done.glance_seconds:
            self._glance = done.glance_seconds
        if done.frame is not None:
            # The first of a process is slow and says nothing about the next: the smaller of two.
            self._frame = min(self._frame_before, done.look_seconds)
            self._frame_before = done.look_seconds
            self._since_frame = 0.0

    def took_deep(self, seen: Deep | None) -> None:
        """Note the cost of a deep bound; None where it came to nothing."""
        self._deep_asked = False
        if seen is not None:
            self._deep = seen.seconds
