"""What repeats of a run tell, each number with its own standard error."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Measured(NamedTuple):
    """A number found from repeats, and its standard error."""

    value: float
    std_error: float


def share(hits: NDArray[np.bool_]) -> Measured:
    """The share of hits; the error is Agresti and Coull's, which is not zero at zero or one.

    >>> share(np.array([True, False])).value
    0.5
    """
    n, value = len(hits), float(np.mean(hits))
    return Measured(value, share_error(value, n))


def share_error(value: float, n: int) -> float:
    """Standard error of a share that was found in n repeats."""
    center = (value * n + 2) / (n + 4)
    return math.sqrt(center * (1 - center) / (n + 4))


def mean(values: Array) -> Measured:
    """Mean over the repeats."""
    return Measured(float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values)))


def root_mean_square(errors: Array) -> Measured:
    """Root of the mean square, with the delta method's error; both in the unit of ``errors``."""
    size = float(np.abs(errors).max())
    if size == 0:
        return Measured(0.0, 0.0)
    square, error = mean((errors / size) ** 2)
    root = math.sqrt(square)
    return Measured(size * root, size * error / (2 * root))
