r"""Points in the plane drawn by hand, and the short string that carries them in an address.

A point is two characters, its column and its row on a grid of 64 by 64 cells, from the lower left.
The string *is* the drawing: who opens the link trains on the same data, to the last bit.

A network needs more than a few dozen points, and something to be judged on. So every drawn point
stands for a small round cloud, and the data are draws from all clouds alike:

.. math:: p(x) = \frac1n \sum_{i=1}^{n} N(x;\, c_i,\, s^2 I), \qquad s = 1\ \text{cell}.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from iwae_core.rng import standard_normal

PREFIX = "drawn."  # of the name of such a data set; the string follows
N_LEVELS = 64  # cells along each axis
MIN_POINTS, MAX_POINTS = 20, 500
SMEAR = 1.0  # s, standard deviation of a point's cloud, in cells
# Safe in an address as they stand, in the order of the cells.
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def encode(points: Iterable[tuple[int, int]]) -> str:
    """Two characters for each point.

    Raises:
        ValueError: If a point is not on the grid, or there are more than MAX_POINTS.

    >>> encode([(0, 63), (32, 1)])
    'A_gB'
    """
    cells = [(int(column), int(row)) for column, row in points]
    outside = [cell for cell in cells if not all(0 <= at < N_LEVELS for at in cell)]
    if outside:
        raise ValueError(f"cells are numbered 0 to {N_LEVELS - 1} on each axis, got {outside[0]}")
    _check_number(len(cells), at_least=0)
    return "".join(ALPHABET[column] + ALPHABET[row] for column, row in cells)


def decode(code: str) -> tuple[tuple[int, int], ...]:
    """Column and row of each point; a drawing that has only begun may hold few, or none.

    Raises:
        ValueError: If the string is no drawing, or one of more than MAX_POINTS.

    >>> decode("A_gB")
    ((0, 63), (32, 1))
    """
    unknown = sorted(set(code) - set(ALPHABET))
    if unknown or len(code) % 2:
        what = f"the character {unknown[0]!r}" if unknown else "half a point at its end"
        raise ValueError(
            f"a drawing is written in pairs of A-Z a-z 0-9 - _, got {what}: was the link cut or "
            "changed on its way?"
        )
    _check_number(len(code) // 2, at_least=0)
    levels = [ALPHABET.index(character) for character in code]
    return tuple(zip(levels[::2], levels[1::2], strict=True))


def check_drawing(code: str) -> None:
    """Refuse what is no drawing, or one with too few points to train on.

    Raises:
        ValueError: As :func:`decode`, or below MIN_POINTS.
    """
    _check_number(len(decode(code)), at_least=MIN_POINTS)


def cloud(code: str, n: int, generator: torch.Generator) -> tuple[Tensor, None]:
    """Draw ``n`` points ``(n, 2)`` from the clouds of a drawing, in cells; nobody labels them.

    Raises:
        ValueError: As :func:`check_drawing`.
    """
    check_drawing(code)
    centers = torch.tensor(decode(code), dtype=torch.float32)
    rows = torch.randint(len(centers), (n,), generator=generator)
    return centers[rows] + SMEAR * standard_normal((n, 2), generator), None


def _check_number(n: int, *, at_least: int) -> None:
    if not at_least <= n <= MAX_POINTS:
        least = max(at_least, MIN_POINTS)
        raise ValueError(f"a drawing to train on has {least} to {MAX_POINTS} points, got {n}")
