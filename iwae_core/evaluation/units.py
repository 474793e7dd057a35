r"""Single latent units: which are collapsed and how surely, and what each one does in the decoder.

:mod:`iwae_core.evaluation.collapse` asks what the encoder puts into a unit. Here are the stricter
reading of collapse, point by point instead of on average; the part of the cost that carries
nothing, KL(q(z) || p); and the decoder's side: a unit may be full of information that the decoder
never looks at.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core.evaluation.collapse import log_aggregate
from iwae_core.evaluation.inputs import check_data
from iwae_core.models.model import LatentModel
from iwae_core.precision import in_float64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SwapReport:
    """Two datapoints that exchange some latent units.

    Attributes:
        units: The units that were exchanged.
        before: Decoded posterior means of the two, shape ``(2, D)``.
        after: The same after the exchange, shape ``(2, D)``.
        distance: Euclidean distance from before to after, shape ``(2,)``.
    """

    units: tuple[int, ...]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    distance: NDArray[np.float64]


@torch.no_grad()
def collapsed_units(
    model: LatentModel,
    x: Tensor,
    generator: torch.Generator,
    *,
    epsilon: float = 0.01,
    delta: float = 0.01,
    n_samples: int = 64,
) -> NDArray[np.bool_]:
    r"""Units that are (epsilon, delta)-collapsed: :math:`P_x[KL_i(x) < \epsilon] \ge 1 - \delta`.

    Args:
        model: The model.
        x: The set of data that P_x is about, shape ``(N, D)``.
        generator: For models whose KL has no closed form.
        epsilon: Nats under which a unit's KL at one datapoint counts as nothing.
        delta: Share of the data that may be above.
        n_samples: Draws per datapoint where the KL has no closed form.

    Returns:
        Array of shape ``(d,)``.

    Raises:
        ValueError: If ``epsilon`` is not positive, ``delta`` is outside [0, 1), or ``x`` is no
            finite matrix.

    Reference:
        Lucas, Tucker, Grosse and Norouzi (2019), Don't blame the ELBO!, arXiv:1911.02469.
    """
    if not epsilon > 0 or not 0 <= delta < 1:
        raise ValueError(
            f"epsilon must be positive and delta lie in [0, 1), got {epsilon} and {delta}"
        )
    check_data(x)
    silent = model.kl_per_unit(x, n_samples, generator) < epsilon
    # Counted, not averaged: 1 - 0.01 is no exact float, and 99 of 100 must count.
    n_allowed = math.floor(delta * len(x) + 1e-9)
    collapsed: NDArray[np.bool_] = ((~silent).sum(dim=0) <= n_allowed).cpu().numpy()
    return collapsed


@torch.no_grad()
def aggregate_kl(
    model: LatentModel, x: Tensor, generator: torch.Generator, *, n_samples: int = 1
) -> float:
    r"""KL(q(z) || p) of the aggregated posterior: the cost that says nothing about x.

    ``E_x KL(q(z|x) || p) = I(x; z) + KL(q(z) || p)``. q(z) is the mixture over these N datapoints;
    z is the layer next to the data, and p its N(0, I).

    Args:
        model: A model whose prior next to the data is N(0, I), so with one stochastic layer.
        x: Data, shape ``(N, D)``.
        generator: Draws from the mixture.
        n_samples: Draws from each datapoint's q.

    Returns:
        Nats; a Monte Carlo mean, so a true zero may come out slightly negative.

    Raises:
        ValueError: If ``x`` is no finite matrix with at least two rows, or the model has several
            stochastic layers.

    Reference:
        Hoffman and Johnson (2016), ELBO surgery.
    """
    check_data(x, at_least=2)
    q = model.posterior(x)
    if q.loc.shape[1] != model.latent_dim:
        raise ValueError(
            f"aggregate_kl needs one stochastic layer; this model has {model.latent_dim} latent "
            f"coordinates, of which {q.loc.shape[1]} next to the data have a prior that moves"
        )
    draws = model.draws(x, n_samples, generator)
    ratio = log_aggregate(q, draws.z.flatten(0, 1)) - in_float64(
        draws.log_prior(draws.z).flatten()
    )
    return ratio.mean().item()


@torch.no_grad()
def decoder_sensitivity(
    model: LatentModel, x: Tensor, *, step: float = 0.5
) -> NDArray[np.float64]:
    r"""How far the decoded data move per unit of each latent, near the posterior means.

    :math:`\sqrt{E_x \|g(z + h e_i) - g(z - h e_i)\|^2} / 2h` with g the decoder's mean: for a
    linear decoder the norm of column i, exactly, for any h.

    Args:
        model: The model.
        x: Data, shape ``(N, D)``.
        step: h, in units of the prior's standard deviation.

    Returns:
        Array of shape ``(d,)``, of the layer next to the data, in the data's unit per latent
        unit; zero for a unit that the decoder ignores.

    Raises:
        ValueError: If ``step`` is not positive and finite, or ``x`` is no finite matrix.
    """
    if not 0 < step < math.inf:
        raise ValueError(f"step must be positive and finite, got {step}")
    check_data(x)
    z = model.posterior(x).loc
    moves = step * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    squares = torch.stack(
        [
            in_float64(model.decode(z + move) - model.decode(z - move)).square().sum(dim=-1).mean()
            for move in moves
        ]
    )
    sensitivity: NDArray[np.float64] = (squares.sqrt() / (2 * step)).cpu().numpy()
    return sensitivity


@torch.no_grad()
def latent_swap(model: LatentModel, x: Tensor, units: Sequence[int]) -> SwapReport:
    """Exchange some latent units of two datapoints and decode both.

    Args:
        model: The model.
        x: The two datapoints, shape ``(2, D)``.
        units: Coordinates of the layer next to the data that change places.

    Raises:
        ValueError: If ``x`` is not two finite rows, or a unit does not exist.
    """
    check_data(x)
    if len(x) != 2:
        raise ValueError(f"x must hold two datapoints, got shape {tuple(x.shape)}")
    z = model.posterior(x).loc
    wrong = [unit for unit in units if not 0 <= unit < z.shape[1]]
    if wrong:
        raise ValueError(f"units must lie in [0, {z.shape[1]}), got {wrong}")
    chosen = torch.tensor(sorted(set(units)), dtype=torch.int64, device=z.device)
    swapped = z.index_copy(1, chosen, z.flip(0)[:, chosen])
    before, after = in_float64(model.decode(z)), in_float64(model.decode(swapped))
    return SwapReport(
        units=tuple(chosen.tolist()),
        before=before.cpu().numpy(),
        after=after.cpu().numpy(),
        distance=(after - before).norm(dim=-1).cpu().numpy(),
    )
