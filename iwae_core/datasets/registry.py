"""The one list of data sets. To add one, add an entry to ``DATASETS``: no page needs an edit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Generator, Tensor

from iwae_core.datasets import published, synthetic
from iwae_core.datasets.dataset import Likelihood
from iwae_core.datasets.files import PublishedFiles
from iwae_core.datasets.published import Reader, Split
from iwae_core.rng import stream

PLANE_TRAIN_SIZE = 2000
PLANE_TEST_SIZE = 1000

# n, generator -> x (n, 2), labels (n,) or None
Plane = Callable[[int, Generator], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """What is known of a data set before it is read; see :class:`Dataset` for the fields."""

    title: str
    description: str
    source: str
    read: Reader
    license: str
    class_names: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    binary: bool = False
    already_binarized: bool = False
    likelihood: Likelihood = "gaussian"
    files: PublishedFiles | None = None  # None: always there, no folder and no network needed


def read_plane(name: str, draw: Plane, folder: Path | None) -> Split:
    """Draw 2,000 training and 1,000 test points from fixed seeds and standardize both.

    Each axis is shifted by its mean over the training points and both are divided by one scale,
    the root of their mean variance, so that circles stay circles.
    """
    train, train_labels = draw(PLANE_TRAIN_SIZE, stream(published.DATA_SEED, name, "train"))
    test, test_labels = draw(PLANE_TEST_SIZE, stream(published.DATA_SEED, name, "test"))
    shift = train.mean(dim=0)
    scale = train.var(dim=0, correction=0).mean().sqrt()
    return Split(
        train=(train - shift) / scale,
        test=(test - shift) / scale,
        train_labels=train_labels,
        test_labels=test_labels,
    )


_NUMERALS = tuple(str(digit) for digit in range(10))
_MNIST_SOURCE = (
    "LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document "
    "recognition, Proceedings of the IEEE 86(11), 2278-2324"
)
_MNIST_LICENSE = (
    "copyright Yann LeCun and Corinna Cortes, derived from NIST data; commonly given as "
    "CC BY-SA 3.0, though the original page states no license"
)

DATASETS: Mapping[str, DatasetSpec] = {
    "digits": DatasetSpec(
        title="Digits 8x8",
        description="1,797 real handwritten digits, 1,500 to train on and 297 to test, bundled "
        "with the package. Pixels are intensities in sixteenths, binarized dynamically.",
        source="Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI "
        "Machine Learning Repository, test part; as in scikit-learn's load_digits",
        license="CC BY 4.0",
        read=published.read_digits,
        class_names=_NUMERALS,
        image_shape=(8, 8),
        binary=True,
        likelihood="bernoulli",
    ),
    "moons": DatasetSpec(
        title="Two moons",
        description="Two interleaved half circles in the plane.",
        source="generated; the geometry of scikit-learn's make_moons",
        license="MIT, as this package",
        read=partial(read_plane, "moons", synthetic.moons),
        class_names=("upper moon", "lower moon"),
    ),
    "pinwheel": DatasetSpec(
        title="Pinwheel",
        description="Five bent arms around the origin.",
        source="generated; Johnson, Duvenaud, Wiltschko, Datta and Adams (2016), Composing "
        "graphical models with neural networks, NeurIPS 29",
        license="MIT, as this package",
        read=partial(read_plane, "pinwheel", synthetic.pinwheel),
        class_names=tuple(f"arm {arm}" for arm in range(1, 6)),
    ),
    "rings": DatasetSpec(
        title="Rings",
        description="Three concentric circles.",
        source="generated",
        license="MIT, as this package",
        read=partial(read_plane, "rings", synthetic.rings),
        class_names=tuple(f"ring {ring}" for ring in range(1, 4)),
    ),
    "gaussians": DatasetSpec(
        title="Grid of Gaussians",
        description="Twenty-five narrow Gaussians on a square grid.",
        source="generated",
        license="MIT, as this package",
        read=partial(read_plane, "gaussians", synthetic.gaussians),
        class_names=tuple(f"row {i}, column {j}" for i in range(1, 6) for j in range(1, 6)),
    ),
    "mnist": DatasetSpec(
        title="MNIST",
        description="60,000 training and 10,000 test handwritten digits of 28x28 pixels, "
        "binarized dynamically.",
        source=_MNIST_SOURCE,
        license=_MNIST_LICENSE,
        read=partial(published.read_labeled_images, published.MNIST),
        files=published.MNIST,
        class_names=_NUMERALS,
        image_shape=(28, 28),
        binary=True,
        likelihood="bernoulli",
    ),
    "fashion_mnist": DatasetSpec(
        title="Fashion-MNIST",
        description="60,000 training and 10,000 test pictures of clothes of 28x28 pixels, "
        "binarized dynamically.",
        source="Xiao, Rasul and Vollgraf (2017), Fashion-MNIST: a novel image dataset for "
        "benchmarking machine learning algorithms, arXiv:1708.07747",
        license="MIT, copyright 2017 Zalando SE",
        read=partial(published.read_labeled_images, published.FASHION_MNIST),
        files=published.FASHION_MNIST,
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        image_shape=(28, 28),
        binary=True,
        likelihood="bernoulli",
    ),
    "mnist_fixed": DatasetSpec(
        title="MNIST, fixed binarization",
        description="50,000 training and 10,000 test digits of 28x28 bits that were drawn once "
        "(10,000 validation digits are left aside). A data set of its own: its likelihoods must "
        "never stand in one table with those of dynamically binarized MNIST. No labels.",
        source="Larochelle and Murray (2011), The neural autoregressive distribution estimator, "
        "AISTATS, after Salakhutdinov and Murray (2008), ICML",
        license=f"derived from MNIST: {_MNIST_LICENSE}",
        read=partial(published.read_fixed_bits, published.MNIST_FIXED),
        files=published.MNIST_FIXED,
        image_shape=(28, 28),
        binary=True,
        already_binarized=True,
        likelihood="bernoulli",
    ),
}
