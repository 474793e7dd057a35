"""Frames on the wire: one JSON header and raw arrays, so that a browser parses no numbers.

Layout: 4 bytes little-endian length of the header, the header (UTF-8 JSON, padded with spaces so
that the arrays start on a multiple of 8), then the arrays one after another, each padded to a
multiple of 8 bytes. The header holds ``meta`` and, for each array, its type, its shape and its
offset from the first array's first byte. Arrays of float64 and of bytes travel as they are, any
other as float32.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KEPT = {np.dtype(np.float64): "<f8", np.dtype(np.uint8): "|u1"}
_TYPES = {"f8": "<f8", "f4": "<f4", "u1": "|u1"}
_ALIGN = 8  # bytes: JavaScript reads a Float64Array only where one may start


def pack(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Encode a message; ``assets/components/wire.js`` reads it."""
    parts, layout, offset = [], {}, 0
    for name, values in arrays.items():
        kind = _KEPT.get(values.dtype, "<f4")
        content = np.ascontiguousarray(values, dtype=kind).tobytes()
        content += bytes(-len(content) % _ALIGN)
        layout[name] = {"type": kind[1:], "shape": list(values.shape), "offset": offset}
        parts.append(content)
        offset += len(content)
    header = json.dumps({"meta": dict(meta), "arrays": layout}, allow_nan=False).encode()
    header += b" " * (-(len(header) + 4) % _ALIGN)
    return b"".join([struct.pack("<I", len(header)), header, *parts])


def unpack(message: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Decode what :func:`pack` encoded."""
    (n_header,) = struct.unpack_from("<I", message)
    header = json.loads(message[4 : 4 + n_header])
    arrays = {}
    for name, place in header["arrays"].items():
        count = int(np.prod(place["shape"]))
        flat = np.frombuffer(message, _TYPES[place["type"]], count, 4 + n_header + place["offset"])
        arrays[name] = flat.reshape(place["shape"])
    return header["meta"], arrays
