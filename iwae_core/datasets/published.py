"""The image data sets: which published files they are made of, and how those become tensors.

MNIST and Fashion-MNIST share their file names, so a folder that holds both keeps each in a
subfolder of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.datasets.files import PublishedFile, PublishedFiles
from iwae_core.datasets.readers import parse_amat, parse_idx, read_idx
from iwae_core.rng import stream

# Seed of everything that this package draws once to make a data set. Never change it: a result
# names a data set, not a seed.
DATA_SEED = 20160210

BUNDLED = Path(__file__).parent / "bundled"
DIGITS_TEST_SIZE = 297  # of 1,797, leaving 1,500 for training


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Training and test rows of one data set, ready for :class:`Dataset`."""

    train: Tensor  # (N, D) float32
    test: Tensor  # (M, D) float32
    train_labels: Tensor | None = None  # (N,) int64
    test_labels: Tensor | None = None  # (M,) int64


Reader = Callable[[Path | None], Split]  # the user's data folder or None -> the data

MNIST = PublishedFiles(
    name="mnist",
    subfolders=("mnist", "MNIST/raw"),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    files={
        "train_images": PublishedFile(
            name="train-images-idx3-ubyte.gz",
            sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            packed_sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        "train_labels": PublishedFile(
            name="train-labels-idx1-ubyte.gz",
            sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            packed_sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        "test_images": PublishedFile(
            name="t10k-images-idx3-ubyte.gz",
            sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            packed_sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        "test_labels": PublishedFile(
            name="t10k-labels-idx1-ubyte.gz",
            sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            packed_sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    },
)

FASHION_MNIST = PublishedFiles(
    name="fashion_mnist",
    subfolders=("fashion_mnist", "fashion", "FashionMNIST/raw"),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    files={
        "train_images": PublishedFile(
            name="train-images-idx3-ubyte.gz",
            sha256="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            packed_sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        "train_labels": PublishedFile(
            name="train-labels-idx1-ubyte.gz",
            sha256="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            packed_sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        "test_images": PublishedFile(
            name="t10k-images-idx3-ubyte.gz",
            sha256="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            packed_sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        "test_labels": PublishedFile(
            name="t10k-labels-idx1-ubyte.gz",
            sha256="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            packed_sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    },
)

MNIST_FIXED = PublishedFiles(
    name="mnist_fixed",
    subfolders=("mnist_fixed", "mnist"),
    origin=(
        "The files are published, unpacked, as binarized_mnist_train.amat and "
        "binarized_mnist_test.amat below "
        "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/ and are never "
        "downloaded by this program."
    ),
    files={
        "train_images": PublishedFile(
            name="binarized_mnist_train.amat.gz",
            sha256="ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
        ),
        "test_images": PublishedFile(
            name="binarized_mnist_test.amat.gz",
            sha256="e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
        ),
    },
)


def read_labeled_images(files: PublishedFiles, folder: Path | None) -> Split:
    """Read four IDX files in the standard split, pixels divided by 255.

    Raises:
        ValueError: If a file breaks its format or is not the published one.
        OSError: If a file is nowhere and no mirror could deliver it.
    """

    def images(role: str) -> Tensor:
        pixels = files.read(role, lambda content, path: parse_idx(content, path, 3), folder)
        return _intensities(pixels, 255)

    def labels(role: str) -> Tensor:
        indices = files.read(role, lambda content, path: parse_idx(content, path, 1), folder)
        return torch.from_numpy(indices).long()

    return Split(
        train=images("train_images"),
        test=images("test_images"),
        train_labels=labels("train_labels"),
        test_labels=labels("test_labels"),
    )


def read_fixed_bits(files: PublishedFiles, folder: Path | None) -> Split:
    """Read already binarized images from ``.amat`` text: 50,000 to train on, 10,000 to test.

    The published 10,000 validation images are left aside. The test file is sorted by digit, so
    its rows are put in a fixed random order: the first hundred are a fair sample of the set.

    Raises:
        ValueError: If a file breaks its format or is not the published one.
        OSError: If a file is not in the folder.
    """
    train, test = (
        torch.from_numpy(files.read(role, parse_amat, folder)).float()
        for role in ("train_images", "test_images")
    )
    order = torch.randperm(len(test), generator=stream(DATA_SEED, files.name, "test order"))
    return Split(train=train, test=test[order])


def read_digits(folder: Path | None = None) -> Split:
    """Read the bundled 8x8 digits, pixels divided by 16, in a fixed split of 1,500 and 297.

    The split is stratified: the digits, sorted by class and shuffled within each, are taken to
    the test set at equal steps, so that each class has its share to within one image. All
    writers are in both parts.
    """
    images = read_idx(BUNDLED / "digits-images-idx3-ubyte.gz", n_axes=3)
    labels = read_idx(BUNDLED / "digits-labels-idx1-ubyte.gz", n_axes=1)
    x, y = _intensities(images, 16), torch.from_numpy(labels).long()
    n = len(x)
    shuffled = torch.randperm(n, generator=stream(DATA_SEED, "digits", "split"))
    by_class = shuffled[torch.argsort(y[shuffled], stable=True)]
    # floor(i r) steps up exactly DIGITS_TEST_SIZE times in n steps, evenly spread.
    steps = torch.arange(n + 1) * DIGITS_TEST_SIZE // n
    is_test = torch.zeros(n, dtype=torch.bool)
    is_test[by_class[steps.diff() == 1]] = True
    return Split(
        train=x[~is_test], test=x[is_test], train_labels=y[~is_test], test_labels=y[is_test]
    )


def _intensities(images: NDArray[np.uint8], largest: int) -> Tensor:
    """Images of shape (N, rows, columns) as rows of probabilities, shape (N, rows * columns)."""
    return torch.from_numpy(images.reshape(len(images), -1)).float().div_(largest)
