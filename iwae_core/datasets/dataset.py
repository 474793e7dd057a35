"""What a data set is once it is in memory, and the draw that turns gray pixels into bits."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Likelihood = Literal["bernoulli", "gaussian"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Training and test data of one name, ready for a model.

    With ``binary`` the rows hold pixel intensities in [0, 1], each the probability that the pixel
    is on. They are not the data a Bernoulli model sees: training and evaluation draw bits from
    them with :func:`binarize`, anew at every access (Salakhutdinov and Murray, 2008). With
    ``already_binarized`` the rows are those bits, drawn once by the data set's authors; redrawing
    them changes nothing, and their likelihoods must never stand in one table with those of
    dynamically binarized data (freezing the draw costs about 1.5 nat at K = 50 on MNIST).

    The tensors are shared by everyone in the process who loads the same name: do not write to
    them.
    """

    name: str  # key in the registry
    title: str  # the name as people write it
    description: str
    source: str  # citation
    license: str
    train: Tensor  # (N, D) float32
    test: Tensor  # (M, D) float32
    train_labels: Tensor | None  # (N,) int64; None where nobody labeled the data
    test_labels: Tensor | None  # (M,) int64
    class_names: tuple[str, ...]  # class_names[label]; empty without labels
    image_shape: tuple[int, int] | None  # rows, columns; None if a row is no picture
    binary: bool
    already_binarized: bool
    likelihood: Likelihood  # the decoder's likelihood that fits these data
    column_names: tuple[str, ...] = ()  # of a table; empty for pixels and the plane

    def __post_init__(self) -> None:
        faults = [
            *_faults_of("train", self.train, self.train_labels, self.binary),
            *_faults_of("test", self.test, self.test_labels, self.binary),
        ]
        if self.train.shape[1:] != self.test.shape[1:]:
            faults.append(
                f"train and test must have the same columns, got shapes "
                f"{tuple(self.train.shape)} and {tuple(self.test.shape)}"
            )
        if self.image_shape is not None and math.prod(self.image_shape) != self.n_features:
            faults.append(
                f"image_shape must have as many pixels as a row has columns, got "
                f"{self.image_shape} for {self.n_features} columns"
            )
        if self.already_binarized and not ((self.train == 0) | (self.train == 1)).all():
            faults.append("already_binarized data must hold 0 and 1 only")
        if faults:
            raise ValueError(f"data set {self.name}: " + "; ".join(faults))

    @property
    def n_features(self) -> int:
        """D, the number of columns: pixels of an image or coordinates of a point."""
        return self.train.shape[-1]


def _faults_of(part: str, x: Tensor, labels: Tensor | None, binary: bool) -> list[str]:
    if x.ndim != 2 or x.dtype != torch.float32 or x.numel() == 0:
        return [f"{part} must be float32 of shape (N, D), got {x.dtype} of {tuple(x.shape)}"]
    faults = []
    if not torch.isfinite(x).all():
        faults.append(f"{part} must be finite, got NaN or infinity")
    elif binary and not (0 <= x.amin().item() <= x.amax().item() <= 1):
        faults.append(
            f"{part} must lie in [0, 1] as probabilities of a pixel being on, got "
            f"[{x.amin().item():g}, {x.amax().item():g}]: intensities left undivided?"
        )
    if labels is not None and (labels.dtype != torch.int64 or labels.shape != x.shape[:1]):
        faults.append(
            f"{part}_labels must be int64 of shape ({len(x)},), got {labels.dtype} of "
            f"{tuple(labels.shape)}"
        )
    return faults


def binarize(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    r"""Draw one bit per pixel, :math:`x = 1[u < p]` with :math:`u \sim U[0, 1)`.

    A pixel of probability 0 is never on and one of probability 1 always, so bits pass unchanged.

    Args:
        probabilities: Probability of each pixel being on, in [0, 1], any shape.
        generator: Where ``u`` is drawn; on the device of ``probabilities``.

    Returns:
        Tensor of zeros and ones, with the shape and type of ``probabilities``.

    Raises:
        ValueError: If ``probabilities`` is not floating point or lies on another device.

    Reference:
        Salakhutdinov and Murray (2008), ICML, section 4.
    """
    if not probabilities.is_floating_point():
        raise ValueError(
            f"probabilities must hold floating-point numbers in [0, 1], got "
            f"{probabilities.dtype}: intensities not yet divided by their largest value?"
        )
    if probabilities.device.type != generator.device.type:
        raise ValueError(
            f"probabilities and generator must share a device, got {probabilities.device} "
            f"and {generator.device}"
        )
    u = torch.rand(
        probabilities.shape,
        generator=generator,
        device=probabilities.device,
        dtype=probabilities.dtype,
    )
    return (u < probabilities).to(probabilities.dtype)
