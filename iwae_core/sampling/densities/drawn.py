r"""A target drawn by hand, and the short string that carries the drawing in an address.

The drawing is a row of heights at equal steps from :data:`LOW` to :data:`HIGH`; straight lines
between them make a :class:`Tabulated` density, whose integral, moments, quantiles and draws are
exact. Each height becomes one of 64 levels and so one character: the string *is* the drawing, to
the last bit, for whoever opens the link.
"""

import math
from collections.abc import Sequence

from iwae_core.sampling.densities.tabulated import Tabulated

LOW, HIGH = -6.0, 6.0
N_KNOTS = 32  # of a drawing made here; strings of MIN_KNOTS to MAX_KNOTS are read
MIN_KNOTS, MAX_KNOTS = 2, 64
N_LEVELS = 64
# Safe in an address as they stand, in the order of their levels.
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def knots(n_knots: int = N_KNOTS) -> tuple[float, ...]:
    """Where the heights stand.

    Raises:
        ValueError: If the number is not in MIN_KNOTS .. MAX_KNOTS.

    >>> knots(3)
    (-6.0, 0.0, 6.0)
    """
    _check_number(n_knots)
    step = (HIGH - LOW) / (n_knots - 1)
    return (*(LOW + i * step for i in range(n_knots - 1)), HIGH)


def encode(heights: Sequence[float]) -> str:
    """One character for each height, relative to the highest.

    A height above zero that would round to zero becomes the lowest level above it, so that the
    support of the drawing stays what was drawn.

    Args:
        heights: At equal steps, non-negative, any scale, at least one positive.

    Raises:
        ValueError: If there are too few or too many, or one is negative, NaN or infinite, or all
            are zero.

    >>> encode([0.0, 0.5, 1.0, 0.001])
    'Ag_B'
    """
    _check_number(len(heights))
    wrong = [h for h in heights if not 0 <= h < math.inf]
    if wrong:
        raise ValueError(f"heights must be finite and not negative, got {wrong[0]}")
    top = max(heights)
    if not top > 0:
        raise ValueError("every height is zero: draw something above the axis")
    levels = [math.floor((N_LEVELS - 1) * (h / top) + 0.5) or int(h > 0) for h in heights]
    return "".join(ALPHABET[level] for level in levels)


def decode(code: str) -> tuple[float, ...]:
    """The heights of a string, as fractions of the highest level.

    Raises:
        ValueError: If the string is too short or too long, holds a character that no drawing has,
            or is zero everywhere.

    >>> decode("A_A")
    (0.0, 1.0, 0.0)
    """
    _check_number(len(code))
    unknown = sorted(set(code) - set(ALPHABET))
    if unknown:
        raise ValueError(
            f"a drawing is written in A-Z a-z 0-9 - _, got {unknown[0]!r}: was the link cut or "
            "changed on its way?"
        )
    heights = tuple(ALPHABET.index(character) / (N_LEVELS - 1) for character in code)
    if not any(heights):
        raise ValueError("every height is zero: there is no density in this drawing")
    return heights


def from_code(code: str) -> Tabulated:
    """The normalized density of a string.

    Raises:
        ValueError: As :func:`decode`.

    >>> from_code("A_A").variance
    6.0
    """
    return Tabulated(knots(len(code)), decode(code))


def _check_number(n_knots: int) -> None:
    if not MIN_KNOTS <= n_knots <= MAX_KNOTS:
        raise ValueError(
            f"a drawing has {MIN_KNOTS} to {MAX_KNOTS} heights, got {n_knots}: was it cut?"
        )
