r"""Settings that move with the run: the weight of the KL and the learning rate.

Each schedule is a pure function of how far the run has come, so a run cut into slices sees the
same values as one that is not. Nothing is remembered from step to step.

    beta_t = beta * kl_weight(steps before t)             learning rate = rate * factor(epoch)

Slow starts of the KL keep latents from collapsing before the decoder has learned to use them
(Bowman et al., 2016); repeating the ramp lets them come back (Fu et al., 2019).
"""

from collections.abc import Callable
from dataclasses import dataclass

from iwae_core.counts import check_count

BURDA_STAGES = 8
BURDA_EPOCHS = (3**BURDA_STAGES - 1) // 2  # 3,280


@dataclass(frozen=True, slots=True, kw_only=True)
class KlSchedule:
    """One named course of the KL weight.

    Attributes:
        title: Name for people.
        weight: From updates taken so far, ``n_steps`` and ``ramp`` to a weight in [0, 1].
    """

    title: str
    weight: Callable[[int, int, float], float]


def linear(step: int, n_steps: int, ramp: float) -> float:
    """Rise from 0 to 1 over ``n_steps`` updates, then stay; ``ramp`` is not used.

    Raises:
        ValueError: If ``step`` is negative or ``n_steps`` below 1.

    >>> [linear(step, 4, 0.5) for step in (0, 1, 4, 9)]
    [0.0, 0.25, 1.0, 1.0]
    """
    _check_steps(step, n_steps)
    return min(1.0, step / n_steps)


def cyclical(step: int, n_steps: int, ramp: float) -> float:
    """Rise from 0 to 1 in the first ``ramp`` of every ``n_steps`` updates, then stay to their end.

    Raises:
        ValueError: If ``step`` is negative, ``n_steps`` below 1, or ``ramp`` outside (0, 1].

    Reference:
        Fu et al. (2019), arXiv:1903.10145, equation 6.

    >>> [cyclical(step, 8, 0.5) for step in (0, 1, 4, 7, 8, 9)]
    [0.0, 0.25, 1.0, 1.0, 0.0, 0.25]
    """
    _check_steps(step, n_steps)
    if not 0 < ramp <= 1:
        raise ValueError(f"ramp must lie in (0, 1], got {ramp}")
    return min(1.0, (step % n_steps) / (ramp * n_steps))


def _check_steps(step: int, n_steps: int) -> None:
    check_count("step", step, at_least=0)
    check_count("n_steps", n_steps)


KL_SCHEDULES: dict[str, KlSchedule] = {
    "constant": KlSchedule(title="constant", weight=lambda step, n_steps, ramp: 1.0),
    "linear": KlSchedule(title="linear warm-up", weight=linear),
    "cyclical": KlSchedule(title="cyclical", weight=cyclical),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RateSchedule:
    """One named course of the learning rate.

    Attributes:
        title: Name for people.
        factor: From the epoch (0 the first) and ``stretch`` to a factor of the learning rate.
    """

    title: str
    factor: Callable[[int, float], float]


def burda(epoch: int, stretch: float) -> float:
    r"""Burda et al.'s stages: :math:`10^{-i/7}` for :math:`3^i` epochs, i = 0 .. 7.

    That is 3,280 epochs from 1e-3 to 1e-4; the last factor stays if a run goes on.

    Args:
        epoch: Passes over the data finished.
        stretch: Length of every stage as a multiple of theirs; 0.01 makes it 33 epochs.

    >>> [round(burda(epoch, 1.0), 4) for epoch in (0, 1, 3, 4, 1093, 9999)]
    [1.0, 0.7197, 0.7197, 0.5179, 0.1, 0.1]
    """
    stage = 0
    while stage < BURDA_STAGES - 1 and epoch >= stretch * (3 ** (stage + 1) - 1) / 2:
        stage += 1
    return 10.0 ** (-stage / (BURDA_STAGES - 1))


RATE_SCHEDULES: dict[str, RateSchedule] = {
    "constant": RateSchedule(title="constant", factor=lambda epoch, stretch: 1.0),
    "burda": RateSchedule(title="Burda's eight stages", factor=burda),
}
