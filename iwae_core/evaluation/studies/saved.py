"""Reports as JSON, so that a page opens on a precomputed one: the numbers come back to the bit.

Standard JSON only: NaN and the infinities, which it lacks, are written as strings.
"""

import dataclasses
import json
import math
import types
import typing
from typing import Any, TypeVar

import numpy as np

Report = TypeVar("Report")


def to_json(report: Any) -> str:
    """Write a frozen report (a dataclass of arrays, numbers, strings and such reports).

    Raises:
        ValueError: If it is no dataclass, or a field holds anything else.
    """
    if not dataclasses.is_dataclass(report) or isinstance(report, type):
        raise ValueError(f"only a report can be saved, got {type(report).__name__}")
    return json.dumps(_encode(report), allow_nan=False, separators=(",", ":"))


def from_json(kind: type[Report], text: str) -> Report:
    """Read back what :func:`to_json` wrote; every array with its shape, type and bits.

    Args:
        kind: The report's class.
        text: The JSON.

    Raises:
        ValueError: If the text is no JSON of such a report: written by another version?
    """
    found = json.loads(text)
    names = {field.name for field in dataclasses.fields(typing.cast(Any, kind))}
    if not isinstance(found, dict) or set(found) != names:
        got = sorted(found) if isinstance(found, dict) else type(found).__name__
        raise ValueError(
            f"a saved {kind.__name__} must hold exactly {sorted(names)}, got {got}: written by "
            "another version?"
        )
    return typing.cast(Report, _decode(kind, found))


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        flat = [_encode(number) for number in value.ravel().tolist()]
        return {"dtype": str(value.dtype), "shape": list(value.shape), "values": flat}
    if isinstance(value, tuple | list):
        return [_encode(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"a report holds arrays, numbers and strings, got {type(value).__name__}")


def _decode(kind: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return typing.cast(Any, kind)(**{k: _decode(hints[k], v) for k, v in value.items()})
    if isinstance(value, dict):
        numbers = [float(n) if isinstance(n, str) else n for n in value["values"]]
        return np.array(numbers, dtype=value["dtype"]).reshape(value["shape"])
    if isinstance(value, list):
        kinds = typing.get_args(kind) or (Any,)
        if len(kinds) == 1 or kinds[-1] is Ellipsis:
            kinds = (kinds[0],) * len(value)
        return tuple(_decode(k, v) for k, v in zip(kinds, value, strict=True))
    if isinstance(value, str) and str not in (kind, *_options(kind)):
        return float(value)
    return value


def _options(kind: Any) -> tuple[Any, ...]:
    """The members of a union such as ``str | None``."""
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else ()
