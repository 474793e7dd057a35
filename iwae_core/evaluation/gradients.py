r"""How much signal a gradient estimator carries: repeat it, divide the mean by the spread.

For one parameter with gradient estimate :math:`\Delta_K` from K importance samples,

.. math:: SNR_K = \frac{|E[\Delta_K]|}{\sigma[\Delta_K]}.

Rainforth et al. (2018) show that for the IWAE bound this *falls* like K^{-1/2} for the encoder
and rises like K^{1/2} for the decoder: a tighter bound teaches the encoder less per sample.
Doubly reparameterized gradients turn the encoder's slope around.

The SNR is estimated from R repeats, and noise alone has a mean that is not zero: below
``snr_floor``, about :math:`\sqrt{2 / (\pi R)}`, an estimate says only "small".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from iwae_core.bounds.objectives import Objective, iwae
from iwae_core.bounds.surrogates import ESTIMATORS
from iwae_core.counts import check_count
from iwae_core.evaluation.inputs import check_data
from iwae_core.names import check_known
from iwae_core.precision import in_float64
from iwae_core.sampling.draws import Draws

Groups = Mapping[str, Sequence[nn.Parameter]]  # name of a group -> its parameters


class Drawing(Protocol):
    """A model with parameters and weighted draws; a :class:`iwae_core.models.vae.Vae` is one."""

    def draws(self, x: Tensor, n_samples: int, generator: torch.Generator, /) -> Draws:
        """K reparameterized draws per datapoint and what weighs them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientReport:
    """Signal-to-noise ratios by estimator (E), number of samples (S) and parameter group (G).

    Attributes:
        estimators: Names, E of them.
        n_samples: Values of K, shape ``(S,)``.
        groups: Names, G of them.
        snr: Mean over a group's parameters of ``|mean| / standard deviation`` (ddof 1), shape
            ``(E, S, G)``; inf where a parameter has a mean without any noise.
        norm_snr: Norm of the group's mean gradient over the root of its summed variances, shape
            ``(E, S, G)``: weighs parameters by their size, and noise in the mean is subtracted
            from its square (so it may be 0).
        n_silent: Parameters whose gradient was zero in every repeat, shape ``(E, S, G)``; left
            out of ``snr``.
        snr_floor: What ``snr`` shows for a parameter with no signal at all.
        n_repeats: R.
    """

    estimators: tuple[str, ...]
    n_samples: NDArray[np.int64]
    groups: tuple[str, ...]
    snr: NDArray[np.float64]
    norm_snr: NDArray[np.float64]
    n_silent: NDArray[np.int64]
    snr_floor: float
    n_repeats: int

    def slopes(self) -> NDArray[np.float64]:
        """Slope of log snr against log K by least squares over all K, shape ``(E, G)``.

        Raises:
            ValueError: If there are fewer than two values of K.
        """
        if len(self.n_samples) < 2:
            raise ValueError(f"a slope needs two values of K, got {self.n_samples.tolist()}")
        log_K = np.log(self.n_samples)
        log_K = log_K - log_K.mean()
        return np.einsum("s,esg->eg", log_K, np.log(self.snr)) / (log_K @ log_K)


def gradient_snr(
    model: Drawing,
    x: Tensor,
    *,
    estimators: Sequence[str],
    n_samples: Sequence[int],
    n_repeats: int,
    generator: torch.Generator,
    objective: Objective = iwae,
    groups: Groups | None = None,
) -> GradientReport:
    """Repeat each estimator's gradient on the same data and compare its mean with its spread.

    The parameters are not changed, and no ``.grad`` is touched.

    Args:
        model: The model, at the point where the gradient is taken.
        x: Data, shape ``(B, D)``; each repeat averages over all of them.
        estimators: Names from :data:`iwae_core.bounds.surrogates.ESTIMATORS`.
        n_samples: Values of K.
        n_repeats: R, at least 2.
        generator: Source of the noise, on the model's device.
        objective: The bound that is climbed.
        groups: Parameters by group; None splits a module into "encoder" (submodules whose name
            ends so) and "decoder" (all the rest).

    Raises:
        ValueError: If a name is unknown, a count is too small, ``x`` is no finite matrix, a group
            is empty or needs no gradient, or a gradient is not finite.

    Reference:
        Rainforth, Kosiorek, Le, Maddison, Igl, Wood and Teh (2018), arXiv:1802.04537.
    """
    for name in estimators:
        check_known(name, ESTIMATORS, "estimator")
    if not estimators or not n_samples:
        raise ValueError(
            f"needs at least one estimator and one K, got {list(estimators)} and {list(n_samples)}"
        )
    for K in n_samples:
        check_count("every K of n_samples", K)
    check_count("n_repeats", n_repeats, at_least=2)
    check_data(x)
    parameters = _grouped(model, groups)
    shape = (len(estimators), len(n_samples), len(parameters))
    snr, norm_snr = np.empty(shape), np.empty(shape)
    n_silent = np.empty(shape, dtype=np.int64)
    for e, name in enumerate(estimators):
        for s, K in enumerate(n_samples):
            moments = [_Moments() for _ in parameters]
            for _ in range(n_repeats):
                found = _gradients(model, x, name, K, objective, parameters, generator)
                for moment, gradient in zip(moments, found, strict=True):
                    moment.add(gradient)
            for g, moment in enumerate(moments):
                snr[e, s, g], norm_snr[e, s, g], n_silent[e, s, g] = moment.summary()
    return GradientReport(
        estimators=tuple(estimators),
        n_samples=np.asarray(n_samples, dtype=np.int64),
        groups=tuple(parameters),
        snr=snr,
        norm_snr=norm_snr,
        n_silent=n_silent,
        snr_floor=math.sqrt(2 / (math.pi * n_repeats)),
        n_repeats=n_repeats,
    )


def gradient_fan(
    model: Drawing,
    x: Tensor,
    *,
    estimator: str,
    n_samples: int,
    coordinates: tuple[tuple[nn.Parameter, int], tuple[nn.Parameter, int]],
    n_repeats: int,
    generator: torch.Generator,
    objective: Objective = iwae,
) -> NDArray[np.float64]:
    """Repeated gradients of two chosen numbers: a fan of arrows, to be drawn from one point.

    Args:
        model: The model.
        x: Data, shape ``(B, D)``.
        estimator: A name from :data:`iwae_core.bounds.surrogates.ESTIMATORS`.
        n_samples: K.
        coordinates: Twice a parameter and an index into its flattened numbers.
        n_repeats: R, arrows.
        generator: Source of the noise, on the model's device.
        objective: The bound that is climbed.

    Returns:
        Array of shape ``(n_repeats, 2)``, nats per unit of each parameter.

    Raises:
        ValueError: As :func:`gradient_snr`, or if an index is outside its parameter.
    """
    check_known(estimator, ESTIMATORS, "estimator")
    check_count("n_samples", n_samples)
    check_count("n_repeats", n_repeats)
    check_data(x)
    for parameter, index in coordinates:
        if not 0 <= index < parameter.numel():
            raise ValueError(
                f"index must lie in [0, {parameter.numel()}), the parameter's size, got {index}"
            )
    axes = _grouped(model, {str(i): [p] for i, (p, _) in enumerate(coordinates)})
    arrows = []
    for _ in range(n_repeats):
        found = _gradients(model, x, estimator, n_samples, objective, axes, generator)
        arrows.append(torch.stack([g[i] for g, (_, i) in zip(found, coordinates, strict=True)]))
    fan: NDArray[np.float64] = torch.stack(arrows).cpu().numpy()
    return fan


class _Moments:
    """Running mean and squared distance of vectors (Welford), so no gradient is stored."""

    def __init__(self) -> None:
        self.n = 0
        self.mean: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0

    def add(self, row: Tensor) -> None:
        self.n += 1
        step = row - self.mean
        self.mean = self.mean + step / self.n
        self.squares = self.squares + step * (row - self.mean)

    def summary(self) -> tuple[float, float, int]:
        """Mean SNR, norm SNR, and the number of silent parameters."""
        mean, variance = torch.as_tensor(self.mean), torch.as_tensor(self.squares) / (self.n - 1)
        silent = (mean == 0) & (variance == 0)
        ratios = (mean.abs() / variance.sqrt())[~silent]
        noise = variance.sum().item()
        # E |mean|^2 = |E g|^2 + noise / R
        signal = max(0.0, mean.square().sum().item() - noise / self.n)
        norm = math.sqrt(signal / noise) if noise > 0 else (math.inf if signal > 0 else 0.0)
        snr = ratios.mean().item() if len(ratios) else 0.0
        return snr, norm, int(silent.sum())


def _gradients(
    model: Drawing,
    x: Tensor,
    estimator: str,
    n_samples: int,
    objective: Objective,
    groups: Groups,
    generator: torch.Generator,
) -> list[Tensor]:
    """One gradient per group, flat, float64."""
    with torch.enable_grad():
        surrogate, _ = ESTIMATORS[estimator](model.draws(x, n_samples, generator), objective, 1.0)
    flat = [parameter for group in groups.values() for parameter in group]
    found = torch.autograd.grad(surrogate, flat, allow_unused=True)
    rows = iter(
        torch.zeros_like(p).flatten() if g is None else g.flatten()
        for p, g in zip(flat, found, strict=True)
    )
    vectors = [in_float64(torch.cat([next(rows) for _ in group])) for group in groups.values()]
    if not all(bool(torch.isfinite(vector).all()) for vector in vectors):
        raise ValueError(
            f"the {estimator} gradient is not finite at K = {n_samples}: the parameters have "
            "diverged, or a weight is zero for every sample"
        )
    return vectors


def _grouped(model: Drawing, groups: Groups | None) -> Groups:
    if groups is None:
        encoder = getattr(model, "encoder", None)
        if not isinstance(model, nn.Module) or not isinstance(encoder, nn.Module):
            raise ValueError(
                "groups must be given for a model that is no module with an 'encoder': "
                "{'encoder': [...], 'decoder': [...]}"
            )
        # A second stochastic layer has a second_encoder beside the first.
        split: dict[str, list[nn.Parameter]] = {"encoder": [], "decoder": []}
        for name, parameter in model.named_parameters():
            side = "encoder" if name.split(".")[0].endswith("encoder") else "decoder"
            split[side].append(parameter)
        groups = split
    for name, group in groups.items():
        if not group or not all(parameter.requires_grad for parameter in group):
            raise ValueError(f"group {name!r} is empty, or holds a parameter without gradient")
    if not groups:
        raise ValueError("groups must name at least one group of parameters, got none")
    return groups
