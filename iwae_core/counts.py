"""Whole numbers that people pass: how many samples, rows, steps, and the shapes made of them."""

import numbers
import operator
from collections.abc import Sequence


def is_count(value: object, at_least: int = 1) -> bool:
    """Whether ``value`` is a whole number, not a bool, and large enough.

    >>> is_count(1), is_count(0), is_count(1.5), is_count(True)
    (True, False, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        return False
    return operator.index(value) >= at_least


def check_count(name: str, value: object, at_least: int = 1) -> None:
    """Refuse what is no count.

    Raises:
        ValueError: If ``value`` is not a whole number of at least ``at_least``.
    """
    if is_count(value, at_least):
        return
    too_small = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if too_small:
        raise ValueError(f"{name} must be at least {at_least}, got {value}")
    hint = ": a result of a division?" if isinstance(value, float) else ""
    raise ValueError(f"{name} must be a whole number, got {value!r}{hint}")


def check_shape(shape: Sequence[object]) -> None:
    """Refuse a shape with a length that is negative or not whole.

    Raises:
        ValueError: If no tensor can have this shape.
    """
    if not all(is_count(length, 0) for length in shape):
        raise ValueError(f"shape must hold whole, non-negative lengths, got {tuple(shape)}")
