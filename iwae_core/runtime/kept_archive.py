"""The parts of a stranger's .zip file, bounded before they are read; none is written anywhere."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence

from iwae_core.runtime.kept_checks import shown

MOST_BYTES = 50_000_000  # of the file
MOST_UNPACKED = 100_000_000  # of all parts together


def read_parts(
    data: bytes, known: re.Pattern[str], what: str, *, elsewhere: Mapping[str, str]
) -> dict[str, bytes]:
    """Read every part of an archive.

    Args:
        data: The file.
        known: What the name of a part may be.
        what: What the file should hold, in a word.
        elsewhere: Parts of files of another kind, and where those belong.

    Raises:
        ValueError: If it is too large, broken, or has other parts; one sentence says why.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(
            f"the file has {len(data) / 1e6:.0f} MB; at most {MOST_BYTES / 1e6:.0f} are taken"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check(archive.infolist(), known, what, elsewhere)
            parts = {}
            for member in archive.infolist():
                with archive.open(member) as file:  # its size is its own claim: read no more
                    parts[member.filename] = file.read(member.file_size + 1)
                if len(parts[member.filename]) != member.file_size:
                    raise ValueError(f"{member.filename} is larger than the file says")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as fault:
        raise ValueError(f"this is not a whole .zip file: {fault}") from fault
    except Exception as fault:
        if isinstance(fault, ValueError):
            raise
        raise ValueError(f"this .zip file cannot be unpacked: {fault!r}") from fault
    return parts


def _check(
    members: Sequence[zipfile.ZipInfo],
    known: re.Pattern[str],
    what: str,
    elsewhere: Mapping[str, str],
) -> None:
    if members and min(member.header_offset for member in members) > 0:
        # The end of a .zip within, found in one that was cut off.
        raise ValueError("this is not a whole .zip file: something stands before its first part")
    names = [member.filename for member in members]
    for name in names:
        if name in elsewhere:
            raise ValueError(elsewhere[name])
        if not known.fullmatch(name):
            raise ValueError(f"the file has a part that no {what} has: {shown(name)}")
    if len(set(names)) < len(names):
        raise ValueError("the file has a part twice")
    if sum(member.file_size for member in members) > MOST_UNPACKED:
        raise ValueError(f"unpacked, the file has more than {MOST_UNPACKED / 1e6:.0f} MB")
