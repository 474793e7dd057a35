"""Where the files of a published data set come from, and the proof that they are the real ones.

A file is looked for in the folder that the user names (an argument, or the environment variable
``IWAE_LAB_DATA``), then in the user's cache, and only then on the mirrors. Wherever it was
found, the SHA-256 of its unpacked bytes must be the published file's: a likelihood computed on
other data is a number about nothing.
"""

import hashlib
import logging
import os
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iwae_core.datasets.readers import unpack

DATA_FOLDER_VARIABLE = "IWAE_LAB_DATA"
MIRROR_TIMEOUT = 20.0  # seconds without a byte before the next mirror is asked

Parser = Callable[[bytes, Path], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """One file of a data set, known by its bytes."""

    name: str  # as published, ending in .gz
    sha256: str  # of the unpacked bytes, whoever packed them
    packed_sha256: str | None = None  # of the .gz on the mirrors; None if it is not downloaded


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFiles:
    """The files of one data set and the places that hold them."""

    name: str
    files: Mapping[str, PublishedFile]  # by role, such as "train_images"
    subfolders: tuple[str, ...]  # where they may lie below the user's folder, besides directly
    mirrors: tuple[str, ...] = ()  # base URLs ending in "/"; none: only from a folder
    origin: str = ""  # where a person can get the files

    def read(self, role: str, parse: Parser, folder: Path | None) -> NDArray[np.uint8]:
        """Find or download one file, parse it and verify it.

        Args:
            role: Key of ``files``.
            parse: Turns the unpacked bytes into an array; its ``ValueError`` comes first, for
                "truncated" says more than "wrong hash".
            folder: The user's folder, see :func:`data_folder`.

        Raises:
            ValueError: If the file breaks its format or is not the published one.
            OSError: If the file is nowhere and no mirror could deliver it.
        """
        file = self.files[role]
        path = self.find(role, folder) or self._download(file, folder)
        content = unpack(path)
        array = parse(content, path)
        found = hashlib.sha256(content).hexdigest()
        if found != file.sha256:
            raise ValueError(
                f"{path} is not the published {file.name} of {self.name}: its unpacked bytes must "
                f"have SHA-256 {file.sha256}, got {found}: another data set whose files have the "
                f"same names, or a changed copy? Files of {self.name} may lie in a subfolder "
                f"{self.subfolders[0]!r} of the data folder"
            )
        return array

    def find(self, role: str, folder: Path | None) -> Path | None:
        """Path of a file in the user's folder or in the cache, packed or not; else None."""
        name = self.files[role].name
        places = [] if folder is None else [*(folder / sub for sub in self.subfolders), folder]
        candidates = [place / form for place in places for form in (name, name[:-3])]
        candidates += [cache_folder() / self.name / name] if self.mirrors else []
        return next((path for path in candidates if path.is_file()), None)

    def _download(self, file: PublishedFile, folder: Path | None) -> Path:
        # pooch brings requests along, which only a download should pay for.
        import pooch

        failures = []
        for mirror in self.mirrors:
            try:
                with _quiet(pooch.get_logger()):
                    path = pooch.retrieve(
                        mirror + file.name,
                        known_hash=f"sha256:{file.packed_sha256}",
                        fname=file.name,
                        path=cache_folder() / self.name,
                        downloader=pooch.HTTPDownloader(
                            timeout=MIRROR_TIMEOUT, chunk_size=1 << 16
                        ),
                    )
                return Path(path)
            # Bad luck is an OSError (requests' errors are), a wrong hash a ValueError of pooch.
            except (OSError, ValueError) as error:
                reason = textwrap.shorten(str(error), 200)
                failures.append(f"{mirror} ({type(error).__name__}: {reason})")
        raise FileNotFoundError(self._advice(file, folder, failures))

    def _advice(self, file: PublishedFile, folder: Path | None, failures: list[str]) -> str:
        looked = f"is not in {folder}" if folder else "is not there, and no data folder is named"
        names = ", ".join(file.name for file in self.files.values())
        subfolders = " or ".join(f"{sub}/" for sub in self.subfolders)
        text = (
            f"{file.name} of {self.name} {looked}. Put {names}, packed or unpacked, in a "
            f"folder (directly or below {subfolders}) and name it by the argument `folder` or "
            f"the environment variable {DATA_FOLDER_VARIABLE}."
        )
        if self.origin:
            text += f" {self.origin}"
        if failures:
            text += f" No mirror could deliver it (offline?): {'; '.join(failures)}"
        return text


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Silence pooch's running commentary on stderr; what goes wrong is in its exceptions."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def data_folder(folder: str | PathLike[str] | None) -> Path | None:
    """The user's data folder: the argument, else the environment variable, else None.

    Raises:
        ValueError: If the folder that either names does not exist.
    """
    named = os.fspath(folder) if folder is not None else os.environ.get(DATA_FOLDER_VARIABLE)
    if not named:
        return None
    path = Path(named).expanduser().resolve()
    if not path.is_dir():
        origin = "the argument `folder`" if folder is not None else DATA_FOLDER_VARIABLE
        raise ValueError(f"{origin} must name an existing folder, got {named!r}: a typing error?")
    return path


def cache_folder() -> Path:
    """Where downloads are kept between sessions: the user's cache directory."""
    import pooch

    return Path(pooch.os_cache("iwae-lab"))
