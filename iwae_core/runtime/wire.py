"""Frames on the wire: one JSON header and raw arrays, so that a browser parses no numbers.

Layout: 4 bytes little-endian length of the header, the header (UTF-8 JSON, padded with spaces so
that the arrays start on a multiple of 4), then the arrays one after another. The header holds
``meta`` and, for each array, its shape and its offset from the first array's first byte. Every
array travels as float32.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Encode a message; ``assets/components/wire.js`` reads it."""
    parts, layout, offset = [], {}, 0
    for name, values in arrays.items():
        content = np.ascontiguousarray(values, dtype="<f4").tobytes()
        layout[name] = {"shape": list(values.shape), "offset": offset}
        parts.append(content)
        offset += len(content)
    header = json.dumps({"meta": dict(meta), "arrays": layout}, allow_nan=False).encode()
    header += b" " * (-(len(header)) % 4)
    return b"".join([struct.pack("<I", len(header)), header, *parts])


def unpack(message: bytes) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """Decode what :func:`pack` encoded."""
    (n_header,) = struct.unpack_from("<I", message)
    header = json.loads(message[4 : 4 + n_header])
    arrays = {}
    for name, place in header["arrays"].items():
        count = int(np.prod(place["shape"]))
        flat = np.frombuffer(message, "<f4", count, 4 + n_header + place["offset"])
        arrays[name] = flat.reshape(place["shape"])
    return header["meta"], arrays
