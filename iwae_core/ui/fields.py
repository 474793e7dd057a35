"""Typed fields of a page's address: a name, a default, and what may stand behind the ``=``.

A field turns text into a value and back; text that no control could have written is refused with
a sentence for the reader. :mod:`iwae_core.ui.url` keeps the address and the controls in step.
"""

import math
import re
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")

_INTEGER = re.compile(r"[+-]?\d{1,18}")


class Field(Protocol[T]):
    """What ``url`` asks of a field."""

    @property
    def name(self) -> str:
        """Name in the address, as in ``?name=value``."""

    @property
    def default(self) -> T:
        """Value of an address that does not mention the field."""

    def parse(self, text: str) -> T:
        """Read a value; ValueError says, for the reader, why it cannot be."""

    def write(self, value: T) -> str:
        """Write a value so that :meth:`parse` gives it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntField:
    """A whole number in ``low .. high``."""

    name: str
    default: int
    low: int
    high: int

    def __post_init__(self) -> None:
        _check_range(self.name, self.default, self.low, self.high)

    def parse(self, text: str) -> int:
        """Read a whole number within the range."""
        if not _INTEGER.fullmatch(text):
            raise ValueError("is not a whole number")
        return int(_within(int(text), self.low, self.high))

    def write(self, value: int) -> str:
        """Write the number's digits."""
        return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatField:
    """A finite number in ``low .. high``."""

    name: str
    default: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self.name, self.default, self.low, self.high)

    def parse(self, text: str) -> float:
        """Read a finite number within the range."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError("is not a number")
        return _within(value, self.low, self.high)

    def write(self, value: float) -> str:
        """Write the shortest digits that give the same number back."""
        return repr(float(value)).removesuffix(".0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceField:
    """One of a few names."""

    name: str
    default: str
    choices: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.default not in self.choices:
            raise ValueError(
                f"the default of {self.name} must be one of {self.choices}, got {self.default!r}"
            )

    def parse(self, text: str) -> str:
        """Read one of the names."""
        if text not in self.choices:
            raise ValueError(f"is none of {', '.join(self.choices)}")
        return text

    def write(self, value: str) -> str:
        """Write the name itself."""
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class StopField:
    """One of a few whole numbers, such as the powers of two."""

    name: str
    default: int
    stops: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.default not in self.stops:
            raise ValueError(
                f"the default of {self.name} must be one of {self.stops}, got {self.default}"
            )

    def parse(self, text: str) -> int:
        """Read one of the numbers."""
        if text not in map(str, self.stops):
            raise ValueError(f"is none of {', '.join(map(str, self.stops))}")
        return int(text)

    def write(self, value: int) -> str:
        """Write the number's digits."""
        return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoolField:
    """Yes or no, written 1 or 0."""

    name: str
    default: bool = False

    def parse(self, text: str) -> bool:
        """Read 1 or 0."""
        if text not in ("0", "1"):
            raise ValueError("is neither 0 nor 1")
        return text == "1"

    def write(self, value: bool) -> str:
        """Write 1 or 0."""
        return str(int(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedField(IntField):
    """The seed of everything random on a page: same seed, same picture."""

    name: str = "seed"
    default: int = 1
    low: int = 0
    high: int = 2**31 - 1


def readable(value: float) -> str:
    """Write a number for a label or a sentence.

    >>> readable(1000), readable(0.05), readable(0.00002)
    ('1000', '0.05', '2·10⁻⁵')
    """
    if isinstance(value, int) or value == 0 or abs(value) >= 1e-3:
        return f"{value:g}".replace("-", "\N{MINUS SIGN}") if abs(value) < 1e6 else str(value)
    mantissa, power = f"{value:.3e}".split("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{float(mantissa):g}".replace("-", "\N{MINUS SIGN}") + f"·10{raised}"


def _check_range(name: str, default: float, low: float, high: float) -> None:
    if not low <= default <= high:
        raise ValueError(f"the default of {name} must lie in {low}..{high}, got {default}")


def _within(value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise ValueError(f"is outside {readable(low)}..{readable(high)}")
    return value
