r"""Four clouds in the plane whose geometry is known exactly.

Each function draws ``n`` independent points ``x`` of shape ``(n, 2)`` and the index of the part
each came from, an int64 label of shape ``(n,)``. Every part has the same probability. The
coordinates are those of the formula in the docstring, neither centered nor scaled; the registry
standardizes them.
"""

import math

import torch
from torch import Tensor

from iwae_core.counts import check_count
from iwae_core.rng import standard_normal


def _labels(n: int, n_parts: int, generator: torch.Generator) -> Tensor:
    return torch.randint(n_parts, (n,), generator=generator, device=generator.device)


def _uniform(n: int, generator: torch.Generator) -> Tensor:
    return torch.rand(n, generator=generator, device=generator.device)


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        check_count(name, value)


def _check_noise(**noise: float) -> None:
    for name, value in noise.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is a standard deviation, at least 0 and finite, got {value}")


def moons(n: int, generator: torch.Generator, *, noise: float = 0.1) -> tuple[Tensor, Tensor]:
    r"""Two half circles of radius 1, each reaching into the other.

    With :math:`t \sim U(0, \pi)`, moon 0 is :math:`(\cos t, \sin t)` and moon 1 is
    :math:`(1 - \cos t, \tfrac12 - \sin t)`, plus :math:`N(0, \mathrm{noise}^2)` on each
    coordinate. The mean is (1/2, 1/4).

    Raises:
        ValueError: If ``n`` is less than 1 or ``noise`` is negative.

    Reference:
        The geometry is that of scikit-learn's ``make_moons``.
    """
    _check_counts(n=n)
    _check_noise(noise=noise)
    labels = _labels(n, 2, generator)
    t = math.pi * _uniform(n, generator)
    upper = torch.stack([t.cos(), t.sin()], dim=1)
    # The lower moon is the upper one turned by half a circle about (1/2, 1/4).
    lower = torch.tensor([1.0, 0.5], dtype=t.dtype, device=t.device) - upper
    x = torch.where(labels[:, None] == 0, upper, lower)
    return x + noise * standard_normal((n, 2), generator), labels


def pinwheel(
    n: int,
    generator: torch.Generator,
    *,
    n_arms: int = 5,
    rate: float = 0.25,
    radial_noise: float = 0.3,
    tangential_noise: float = 0.1,
) -> tuple[Tensor, Tensor]:
    r"""Arms around the origin, each a Gaussian bent by a turn that grows with the radius.

    With :math:`a \sim N(1, \mathrm{radial\_noise}^2)` and
    :math:`b \sim N(0, \mathrm{tangential\_noise}^2)`, a point of arm c is :math:`(a, b)` turned
    counterclockwise by :math:`2 \pi c / n_{\mathrm{arms}} + \mathrm{rate} \cdot e^a`. Without
    tangential noise the point at radius a lies exactly at that angle. The mean is the origin.

    Raises:
        ValueError: If ``n`` or ``n_arms`` is less than 1 or a noise is negative, or if
            ``rate`` is not finite.

    Reference:
        Johnson, Duvenaud, Wiltschko, Datta and Adams (2016), NeurIPS 29, figure 1.
    """
    _check_counts(n=n, n_arms=n_arms)
    if not math.isfinite(rate):
        raise ValueError(f"rate must be finite, got {rate}")
    _check_noise(radial_noise=radial_noise, tangential_noise=tangential_noise)
    labels = _labels(n, n_arms, generator)
    eps = standard_normal((n, 2), generator)
    a, b = 1 + radial_noise * eps[:, 0], tangential_noise * eps[:, 1]
    angle = 2 * math.pi * labels / n_arms + rate * a.exp()
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=1), labels


def rings(
    n: int, generator: torch.Generator, *, n_rings: int = 3, noise: float = 0.1
) -> tuple[Tensor, Tensor]:
    r"""Concentric circles about the origin with radii 1, 2, ..., ``n_rings``.

    A point of ring c is :math:`r (\cos \theta, \sin \theta)` with
    :math:`r \sim N(c + 1, \mathrm{noise}^2)` and :math:`\theta \sim U(0, 2 \pi)`.

    Raises:
        ValueError: If ``n`` or ``n_rings`` is less than 1 or ``noise`` is negative.
    """
    _check_counts(n=n, n_rings=n_rings)
    _check_noise(noise=noise)
    labels = _labels(n, n_rings, generator)
    theta = 2 * math.pi * _uniform(n, generator)
    r = labels + 1 + noise * standard_normal((n,), generator)
    return torch.stack([r * theta.cos(), r * theta.sin()], dim=1), labels


def gaussians(
    n: int, generator: torch.Generator, *, side: int = 5, noise: float = 0.1
) -> tuple[Tensor, Tensor]:
    r"""A square grid of round Gaussians, one at each pair of integers below ``side``.

    Label :math:`c = \mathrm{side} \cdot i + j` means the Gaussian at :math:`(j, i)` with standard
    deviation ``noise``. The mean is (side - 1)/2 on both axes and the variance of a coordinate is
    :math:`(\mathrm{side}^2 - 1)/12 + \mathrm{noise}^2`.

    Raises:
        ValueError: If ``n`` or ``side`` is less than 1 or ``noise`` is negative.
    """
    _check_counts(n=n, side=side)
    _check_noise(noise=noise)
    labels = _labels(n, side * side, generator)
    center = torch.stack([labels % side, labels // side], dim=1)
    return center + noise * standard_normal((n, 2), generator), labels
