r"""A run as a value: what it is between two steps, and how a run begins.

A state holds the configuration, how far the run has come, the parameters and the two moments of
Adam, all as NumPy arrays. It holds no generator: the randomness of step t follows from the seed
and t (:mod:`iwae_core.rng`). So a state can be pickled to a worker, copied, kept and forked, and
whoever continues it gets the same bits.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iwae_core import datasets
from iwae_core.models.model import LatentModel
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.models.vae import Vae
from iwae_core.rng import stream
from iwae_core.training.config import TrainConfig
from iwae_core.training.step import lay_flat


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run cannot go on.

    Attributes:
        step: The first step not taken; the state is the one before it, and good.
        cause: A sentence for people.
    """

    step: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunState:
    """A training run between two steps.

    Attributes:
        config: The run's settings, with the live changes made so far.
        step: Updates taken.
        epoch: Passes over the training set begun, from 0.
        position: Datapoints used of the current pass.
        parameters: All parameters in the model's order, one flat array of shape ``(P,)``.
        first_moment: Adam's running mean of the gradient, shape ``(P,)``.
        second_moment: Adam's running mean of its square, shape ``(P,)``.
        stop: Set when the run met a number that is not finite, or its patience ended.
        best_bound: With ``patience``: the best held-out bound so far, nats; else None.
        best_epoch: With ``patience``: the epoch after which it was seen.
    """

    config: TrainConfig
    step: int
    epoch: int
    position: int
    parameters: NDArray[np.float32]
    first_moment: NDArray[np.float32]
    second_moment: NDArray[np.float32]
    stop: Stop | None = None
    best_bound: float | None = None
    best_epoch: int = 0


def begin(config: TrainConfig) -> RunState:
    """The state before the first step: parameters drawn from the seed.

    Raises:
        ValueError: If the data or the device are not to be had.
    """
    config.resolved_device()
    data = datasets.load(config.dataset, config.data_folder)
    model = build_model(
        config, data_mean=data.train.mean(dim=0), generator=stream(config.seed, "init")
    )
    flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()]).numpy()
    return RunState(
        config=config,
        step=0,
        epoch=0,
        position=0,
        parameters=flat,
        first_moment=np.zeros_like(flat),
        second_moment=np.zeros_like(flat),
    )


def build_model(
    config: TrainConfig,
    *,
    data_mean: Tensor | None = None,
    generator: torch.Generator | None,
) -> LatentModel:
    """The network that ``config`` describes; without a generator its parameters are unset.

    Raises:
        ValueError: If the data are not to be had, or are real-valued under binary pixels.
    """
    data = datasets.load(config.dataset, config.data_folder)
    build: Callable[..., LatentModel]
    if config.second_latent_dim is None:
        build = functools.partial(Vae, data.n_features, config.latent_dim)
    else:
        layers = (config.latent_dim, config.second_latent_dim)
        build = functools.partial(
            TwoLayerVae, data.n_features, layers, second_hidden=config.second_hidden
        )
    model = build(
        hidden=config.hidden,
        likelihood=data.likelihood if config.likelihood == "auto" else config.likelihood,
        activation=config.activation,
        scale=config.likelihood_scale,
        decoder=config.decoder,
        generator=None,
    )
    # A run is float32 whatever torch.set_default_dtype says: equal configs give equal runs.
    model.float().start(generator, data_mean)
    return model


def model_of(state: RunState) -> LatentModel:
    """The run's network with its current parameters, on the run's device, for evaluation."""
    device = state.config.resolved_device()
    model = build_model(state.config, generator=None).to(device)
    lay_flat(model, torch.from_numpy(state.parameters.copy()).to(device))
    return model
