"""What a setting, a stop or a network from a stranger's file may be."""

import itertools
import typing
from collections.abc import Mapping
from typing import Any

from iwae_core import datasets
from iwae_core.datasets import uploads
from iwae_core.training import TrainConfig

_LAST_STEP = 2**31 - 1
# A network is built before its arrays can be compared with it: no larger than this.
_MOST_PARAMETERS = 8_000_000
_BOUNDS = {"n_samples": 4096, "batch_size": 10_000, "latent_dim": 512, "second_latent_dim": 512}
_MOST_LAYERS, _MOST_WIDTH = 6, 2048


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse a value of another type than the setting's, or one that would fill the memory.

    ``TrainConfig.from_json`` judges the rest.

    Raises:
        ValueError: Names the setting.
    """
    hints = typing.get_type_hints(TrainConfig)
    for name, value in settings.items():
        hint = hints.get(name)
        if hint is None:
            continue  # unknown: from_json has a better sentence
        kinds = typing.get_args(hint) or (hint,)
        if hint == tuple[int, ...]:
            fits = isinstance(value, list) and all(type(width) is int for width in value)
        else:
            fits = type(value) in kinds or (float in kinds and type(value) is int)
        if not fits:
            raise ValueError(f"the setting {name} has a value of the wrong type: {shown(value)}")
        _check_bound(name, value)


def _check_bound(name: str, value: Any) -> None:
    # Before a configuration is made of it: that already tries the objective on n_samples weights.
    most = _BOUNDS.get(name)
    if most is not None and value is not None and value > most:
        raise ValueError(f"{name} of an imported run may be at most {most}, got {shown(value)}")
    if isinstance(value, list) and (
        len(value) > _MOST_LAYERS or max(value, default=0) > _MOST_WIDTH
    ):
        raise ValueError(
            f"an imported network may have {_MOST_LAYERS} layers of {_MOST_WIDTH} units"
        )


def check_stop(stop: object) -> None:
    """Refuse what is neither None nor a stop as JSON.

    Raises:
        ValueError: Says what a stop has.
    """
    if stop is None:
        return
    if not isinstance(stop, dict) or set(stop) != {"step", "cause"}:
        raise ValueError("a stop must say its step and its cause")
    cause = stop["cause"]
    if not is_step(stop["step"]) or not isinstance(cause, str):
        raise ValueError("a stop must say its step and its cause")
    if len(cause) > 500 or not cause.isprintable():
        raise ValueError("the cause of a stop must be a sentence")


def check_size(config: TrainConfig) -> None:
    """Refuse a run that this server would not want to begin.

    Raises:
        ValueError: If the network is too large, or the data or the device are not here.
    """
    config.resolved_device()
    absent = datasets.missing_files(config.dataset)
    if absent and config.dataset.startswith(uploads.PREFIX):
        raise ValueError(
            "the run was trained on an uploaded table that is not on this server: upload the same "
            "CSV file with the same columns, then import again"
        )
    if absent:
        raise ValueError(
            f"the run needs {config.dataset}, which is not on this server yet ({absent[0]}): "
            "choose that data set on the page once, then import again"
        )
    width = datasets.load(config.dataset).n_features
    layers = [width, *config.hidden, config.latent_dim, *config.hidden, width]
    n_parameters = sum(a * b for a, b in itertools.pairwise(layers))
    if n_parameters > _MOST_PARAMETERS:
        raise ValueError(f"an imported network may have {_MOST_PARAMETERS:,} weights")


def is_step(value: object) -> bool:
    """Whether a value can count updates."""
    return type(value) is int and 0 <= value <= _LAST_STEP


def shown(value: object) -> str:
    """A value for a message, cut short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
