"""Strict readers of the two file formats that MNIST and its relatives come in.

Both read a file that is plain or, if its name ends in ``.gz``, packed with gzip. A file that
breaks its format raises a ``ValueError`` with the file's name, the rule it breaks and the likely
cause; nothing is guessed, padded or skipped.
"""

import gzip
import math
import struct
import zlib
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iwae_core.counts import check_count

# Third byte of an IDX magic number: the type of the numbers. MNIST's files hold unsigned bytes.
IDX_UBYTE = 0x08
# A name, not a limit of the format: what a magic number of the MNIST family stands for.
IDX_KIND = {1: "labels, 0x00000801", 3: "images, 0x00000803"}


def unpack(path: str | PathLike[str]) -> bytes:
    """Contents of a file, unpacked if its name ends in ``.gz``.

    Raises:
        ValueError: If the file is empty, or is named ``.gz`` and is not gzip, is cut short or is
            damaged.
        OSError: If there is no such file or it may not be read.
    """
    path = Path(path)
    content = path.read_bytes()
    if not content:
        raise ValueError(f"{path} is empty: an interrupted download or copy?")
    if path.suffix != ".gz":
        if content[:2] == b"\x1f\x8b":
            raise ValueError(f"{path} is packed with gzip, so its name must end in .gz")
        return content
    if content[:2] != b"\x1f\x8b":
        raise ValueError(
            f"{path} must be gzip, but starts with {content[:8]!r}: a web page saved in its "
            "place, or a file already unpacked and still named .gz?"
        )
    try:
        unpacked = gzip.decompress(content)
    except EOFError as error:
        raise ValueError(
            f"{path} ends in the middle of its gzip stream, after {len(content)} bytes: "
            "an interrupted download or copy?"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is damaged gzip ({error}): a faulty copy, or one transferred as text?"
        ) from error
    if not unpacked:
        raise ValueError(f"{path} holds nothing once unpacked: packed from an empty file?")
    return unpacked


def read_idx(path: str | PathLike[str], n_axes: int | None = None) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, the format of MNIST.

    The file is four bytes of magic number (0, 0, type 8, number of axes), one big-endian 32-bit
    size per axis, then the bytes themselves, last axis fastest.

    Args:
        path: The file, plain or ``.gz``.
        n_axes: Axes that the caller needs: 1 for labels, 3 for images, None for any number.

    Returns:
        Array of the shape that the file states.

    Raises:
        ValueError: If the magic number is another, or the sizes disagree with the bytes present.
        OSError: If there is no such file or it may not be read.

    Reference:
        LeCun, Cortes and Burges, "The MNIST database of handwritten digits", file formats.
    """
    return parse_idx(unpack(path), Path(path), n_axes)


def parse_idx(content: bytes, path: Path, n_axes: int | None = None) -> NDArray[np.uint8]:
    """Read IDX from bytes; ``path`` is the file that an error names. See :func:`read_idx`."""
    if len(content) < 4:
        raise ValueError(f"{path} is too short for an IDX magic number: {len(content)} bytes")
    zeros, kind, found_axes = struct.unpack(">HBB", content[:4])
    wanted = IDX_KIND.get(n_axes or 0, f"0x000008 and {n_axes or 'the number of'} axes")
    if zeros != 0 or kind != IDX_UBYTE or found_axes == 0 or found_axes != (n_axes or found_axes):
        raise ValueError(
            f"{path} must start with the IDX magic number of unsigned bytes ({wanted}), got "
            f"0x{content[:4].hex()}: images and labels exchanged, or not an IDX file?"
        )
    start = 4 + 4 * found_axes
    if len(content) < start:
        raise ValueError(
            f"{path} must state {found_axes} sizes in its first {start} bytes, got "
            f"{len(content)} bytes: truncated?"
        )
    shape = struct.unpack(f">{found_axes}I", content[4:start])
    expected, present = math.prod(shape), len(content) - start
    if expected != present:
        cause = "truncated?" if present < expected else "two files joined, or a damaged header?"
        raise ValueError(
            f"{path} must hold {' x '.join(map(str, shape))} = {expected} bytes after its "
            f"header, got {present}: {cause}"
        )
    # A size of zero allows any other size, which NumPy's reshape need not take.
    if expected == 0:
        raise ValueError(f"{path} holds no numbers: its header states the sizes {shape}")
    # A copy, for bytes are read-only and torch warns of arrays that are.
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()


def read_amat(path: str | PathLike[str], n_values: int = 784) -> NDArray[np.uint8]:
    """Read images from text: one image per line, ``n_values`` digits 0 or 1 with single spaces.

    Args:
        path: The file, plain or ``.gz``.
        n_values: Pixels of an image.

    Returns:
        Array of zeros and ones, shape ``(N, n_values)``.

    Raises:
        ValueError: If a line has another number of values, or anything but 0 and 1.
        OSError: If there is no such file or it may not be read.

    Reference:
        Larochelle and Murray (2011), AISTATS: the binarized MNIST files.
    """
    return parse_amat(unpack(path), Path(path), n_values)


def parse_amat(content: bytes, path: Path, n_values: int = 784) -> NDArray[np.uint8]:
    """Read 0/1 text from bytes; ``path`` is the file an error names. See :func:`read_amat`."""
    check_count("n_values", n_values)
    line_length = 2 * n_values  # n_values digits, n_values - 1 spaces and the line's end
    if len(content) % line_length:
        raise ValueError(_first_bad_line(content, path, n_values))
    grid = np.frombuffer(content, dtype=np.uint8).reshape(-1, line_length)
    values = grid[:, ::2] - ord("0")  # below "0" wraps around to a large number
    blanks_hold = (grid[:, 1:-1:2] == ord(" ")).all() and (grid[:, -1] == ord("\n")).all()
    if not blanks_hold or (values > 1).any():
        raise ValueError(_first_bad_line(content, path, n_values))
    return values


def _first_bad_line(content: bytes, path: Path, n_values: int) -> str:
    rule = (
        f"each line must be {n_values} values 0 or 1 with single spaces between, then a line feed"
    )
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        is_last = number == len(lines)
        if is_last and not line:
            break
        values = line.split(b" ")
        odd = next((value for value in values if value not in (b"0", b"1")), None)
        if is_last or odd is not None or len(values) != n_values:
            got = f"{len(values)} values" + (
                f", one of them {odd[:20]!r}" if odd is not None else ""
            )
            cause = "truncated?" if is_last else "another format, or ends of lines changed?"
            return f"{path}, line {number}: {rule}, got {got}: {cause}"
    raise AssertionError("called without a bad line")
