"""The options of ``iwae-lab train`` and ``iwae-lab evaluate``: every setting with its meaning."""

import argparse
import dataclasses
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from iwae_core import datasets
from iwae_core.bounds.backward import BACKWARD
from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.bounds.surrogates import ESTIMATORS
from iwae_core.models.model import DECODERS, LIKELIHOODS
from iwae_core.models.networks import ACTIVATIONS
from iwae_core.training import LIVE_FIELDS, TrainConfig
from iwae_core.training.config import DEVICES
from iwae_core.training.schedule import KL_SCHEDULES, RATE_SCHEDULES

FIELDS = {field.name: field for field in dataclasses.fields(TrainConfig)}
_TYPES = typing.get_type_hints(TrainConfig)


def _one_of(names: Iterable[str]) -> str:
    return ", ".join(names)


MEANINGS = {
    "dataset": _one_of(datasets.DATASETS),
    "data_folder": "where MNIST's files lie",
    "objective": f"the bound that is climbed: {_one_of(OBJECTIVES)}",
    "objective_setting": "alpha of renyi, beta of ciwae or M of miwae",
    "estimator": f"of the gradient: {_one_of(ESTIMATORS)}",
    "n_samples": "K, importance samples for each datapoint",
    "backward": f"through which samples: {_one_of(BACKWARD)}",
    "backward_epsilon": "share of the weight that truncated may leave out",
    "backward_picks": "samples that resampled draws for each datapoint",
    "latent_dim": "latents next to the data",
    "second_latent_dim": "latents of a second stochastic layer",
    "hidden": "widths of the encoder, such as 200,200; the decoder mirrors them",
    "second_hidden": "widths between two stochastic layers",
    "activation": _one_of(ACTIVATIONS),
    "likelihood": f"of the data given z: {_one_of(('auto', *LIKELIHOODS))}",
    "likelihood_scale": "standard deviation of gaussian; none learns one for each coordinate",
    "decoder": _one_of(DECODERS),
    "learning_rate": "of Adam",
    "rate_schedule": f"course of the learning rate: {_one_of(RATE_SCHEDULES)}",
    "rate_stretch": "length of burda's schedule as a multiple of 3,280 epochs",
    "adam_eps": "of Adam",
    "batch_size": "datapoints of one update",
    "beta": "weight of the KL; 1 gives a true bound",
    "kl_schedule": f"course of beta: {_one_of(KL_SCHEDULES)}",
    "kl_steps": "updates of the warm-up, or of one cycle",
    "kl_ramp": "share of a cycle in which beta rises",
    "free_bits": "nats that each latent may cost for nothing; with closed_form_kl",
    "target_rate": "nats to hold the KL at; with closed_form_kl",
    "patience": "epochs without a better held-out bound until the run stops",
    "seed": "of everything random",
    "device": _one_of(DEVICES),
}


def add_train_options(parser: argparse.ArgumentParser, run: Callable[..., int]) -> None:
    """Every field of :class:`TrainConfig`, and where and how long to train."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=_count, help="train until this step")
    length.add_argument("--epochs", type=_count, help="train until this many passes (default 10)")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a progress bar")
    parser.add_argument("--tensorboard", type=Path, help="also write TensorBoard logs there")
    _add_threads(parser)
    settings = parser.add_argument_group(
        "settings of the run", "those marked * may be changed when a run goes on"
    )
    for name, field in FIELDS.items():
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(map(str, default))
        star = " *" if name in LIVE_FIELDS else ""
        settings.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"config_{name}",
            type=_reader(_TYPES[name]),
            metavar=_metavar(_TYPES[name]),
            help=f"{MEANINGS[name]} ({'none' if default is None else default}){star}",
        )
    parser.set_defaults(run=run)


def add_evaluate_options(parser: argparse.ArgumentParser, run: Callable[..., int]) -> None:
    """Which run, and how precisely."""
    parser.add_argument("folder", type=Path, help="folder of the run")
    parser.add_argument("--samples", type=_count, default=5000, help="K of L_K (%(default)s)")
    parser.add_argument("--images", type=_count, help="test rows to use (default all)")
    parser.add_argument("--seed", type=_seed, default=0, help="of bits and noise (%(default)s)")
    parser.add_argument("--device", help=f"{_one_of(DEVICES)} (the run's own)")
    parser.add_argument("--data-folder", help="where MNIST's files lie (the run's own)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    _add_threads(parser)
    parser.set_defaults(run=run)


def _add_threads(parser: argparse.ArgumentParser) -> None:
    # One by default: small nets gain little from more, and on a busy machine they lose much.
    parser.add_argument("--threads", type=_count, default=1, help="of torch (%(default)s)")


def _inner(annotation: Any) -> Any:
    """``int`` of ``int | None``."""
    parts = [part for part in typing.get_args(annotation) if part is not type(None)]
    return parts[0] if type(None) in typing.get_args(annotation) else annotation


def _metavar(annotation: Any) -> str:
    return {int: "N", float: "X", str: "NAME"}.get(_inner(annotation), "N,N")


def _reader(annotation: Any) -> Callable[[str], Any]:
    """From a field's type to a function that reads its text."""
    inner = _inner(annotation)
    readers: dict[Any, Callable[[str], Any]] = {int: _whole, float: _number, str: str}
    read = readers.get(inner, _widths)
    if inner is annotation:
        return read
    # "none" cannot be told from "not given", and need not be: it is the default wherever it is
    # allowed.
    return lambda text: None if text.lower() == "none" else read(text)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs a whole number, got {text!r}") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs a number, got {text!r}") from None


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"needs whole numbers with commas between, such as 200,200, got {text!r}"
        ) from None


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"needs a whole number in [0, 2**63), got {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"needs a whole number of at least 1, got {text!r}")
    return int(text)
