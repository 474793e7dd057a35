"""A data set by its name: whether there can be one, what is known of it, and its rows.

Most names are entries of :data:`iwae_core.datasets.registry.DATASETS`. Two kinds have none, for
their name says what they are: ``drawn.`` and the string of points drawn by hand
(:mod:`iwae_core.datasets.drawn`), and ``upload.`` and the digest of a reader's table
(:mod:`iwae_core.datasets.uploads`). A configuration that names one is as much a value as any.
"""

from functools import lru_cache, partial
from os import PathLike
from pathlib import Path

from iwae_core.datasets import drawn, uploads
from iwae_core.datasets.dataset import Dataset
from iwae_core.datasets.files import PublishedFiles, data_folder
from iwae_core.datasets.published import Split
from iwae_core.datasets.registry import DATASETS, DatasetSpec, read_plane
from iwae_core.names import check_known


def check_name(name: str) -> str:
    """Return the name if a data set can have it; nothing is read.

    Raises:
        ValueError: If it cannot; the text has the nearest name and the list, or says what is wrong
            with a drawing.
    """
    # A number may stand where JSON should have a name: it is as unknown as any other.
    if str(name).startswith(drawn.PREFIX):
        drawn.check_drawing(name.removeprefix(drawn.PREFIX))
    elif str(name).startswith(uploads.PREFIX):
        uploads.check_name(name)
    else:
        check_known(name, DATASETS, "data set")
    return name


def find(name: str) -> DatasetSpec:
    """Look a data set up by name.

    Raises:
        ValueError: As :func:`check_name`.
        OSError: If it is an uploaded table that is not on this machine.
    """
    check_name(name)
    if name.startswith(drawn.PREFIX):
        return _drawn(name)
    return _uploaded(name) if name.startswith(uploads.PREFIX) else DATASETS[name]


def _drawn(name: str) -> DatasetSpec:
    code = name.removeprefix(drawn.PREFIX)
    return DatasetSpec(
        title="Your drawing",
        description=f"{len(drawn.decode(code))} points drawn by hand, each a small round cloud.",
        source="drawn by a reader",
        license="the reader's own",
        read=partial(read_plane, name, partial(drawn.cloud, code)),
    )


def _uploaded(name: str) -> DatasetSpec:
    data = _table(name)

    def read(folder: Path | None) -> Split:
        return Split(
            train=data.train,
            test=data.test,
            train_labels=data.train_labels,
            test_labels=data.test_labels,
        )

    return DatasetSpec(
        title=data.title,
        description=data.description,
        source=data.source,
        license=data.license,
        read=read,
        class_names=data.class_names,
        image_shape=data.image_shape,
        binary=data.binary,
        already_binarized=data.already_binarized,
        likelihood=data.likelihood,
    )


def load(name: str, folder: str | PathLike[str] | None = None) -> Dataset:
    """Load a data set, once per process.

    Only "mnist" and "fashion_mnist" can reach the network, and only for files that are neither
    in the folder nor in the user's cache: a page asks :func:`missing_files` before it waits.

    Args:
        name: Key of ``DATASETS``, or the name of a drawing or an uploaded table.
        folder: Where published files lie, directly or below a subfolder of the set's name; by
            default the environment variable ``IWAE_LAB_DATA``. The other sets need none.

    Returns:
        The same object at every call: its tensors are not to be written to.

    Raises:
        ValueError: If the name is unknown, the folder does not exist, or a file is damaged or
            not the published one.
        OSError: If a file is nowhere and could not be downloaded, or an uploaded table is not on
            this machine; the text says what to do.
    """
    check_name(name)
    if name.startswith(uploads.PREFIX):
        return _table(name)
    if name.startswith(drawn.PREFIX):
        return _drawing(name)
    # Sets without files ignore the folder, so that a bad one cannot keep the digits away.
    return _load(name, data_folder(folder) if _files_of(name) else None)


# Four, for a process that has seen every image set would hold 0.7 GB. What readers draw and upload
# has room of its own: a class that draws must not push MNIST out.
@lru_cache(maxsize=4)
def _load(name: str, folder: Path | None) -> Dataset:
    return _dataset(name, folder)


@lru_cache(maxsize=64)
def _drawing(name: str) -> Dataset:
    return _dataset(name, None)


@lru_cache(maxsize=4)
def _table(name: str) -> Dataset:
    return uploads.load(name)


def _dataset(name: str, folder: Path | None) -> Dataset:
    spec = find(name)
    split = spec.read(folder)
    return Dataset(
        name=name,
        title=spec.title,
        description=spec.description,
        source=spec.source,
        license=spec.license,
        train=split.train,
        test=split.test,
        train_labels=split.train_labels,
        test_labels=split.test_labels,
        class_names=spec.class_names,
        image_shape=spec.image_shape,
        binary=spec.binary,
        already_binarized=spec.already_binarized,
        likelihood=spec.likelihood,
    )


def _files_of(name: str) -> PublishedFiles | None:
    return DATASETS[name].files if name in DATASETS else None


def missing_files(name: str, folder: str | PathLike[str] | None = None) -> tuple[str, ...]:
    """Names of the files that :func:`load` would have to download, or could not find.

    Raises:
        ValueError: If the name is unknown or the folder does not exist.
    """
    check_name(name)
    if name.startswith(uploads.PREFIX):
        path = uploads.path_of(name)
        return () if path.is_file() else (path.name,)
    files = _files_of(name)
    if files is None:
        return ()
    place = data_folder(folder)
    return tuple(file.name for role, file in files.files.items() if not files.find(role, place))
