"""Everything that decides one training run."""

import dataclasses
import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from iwae_core import datasets
from iwae_core.bounds.backward import BACKWARD
from iwae_core.bounds.objectives import OBJECTIVES, make_objective
from iwae_core.bounds.rate import make_estimator
from iwae_core.bounds.surrogates import ESTIMATORS
from iwae_core.models.model import DECODERS, LIKELIHOODS
from iwae_core.models.networks import ACTIVATIONS
from iwae_core.names import check_known
from iwae_core.training.schedule import KL_SCHEDULES, RATE_SCHEDULES

DEVICES = ("auto", "cpu", "cuda", "mps")

# What may change while a run goes on: nothing that reshapes the network or the data. Patience is
# not among them, since it decides which rows are held out from the first step on.
LIVE_FIELDS = (
    "objective",
    "objective_setting",
    "estimator",
    "n_samples",
    "learning_rate",
    "batch_size",
    "beta",
    "kl_schedule",
    "kl_steps",
    "kl_ramp",
    "free_bits",
    "target_rate",
    "rate_schedule",
    "rate_stretch",
    "backward",
    "backward_epsilon",
    "backward_picks",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training run; equal configs give equal runs on one kind of device.

    Raises:
        ValueError: If any field is out of range or any name is unknown; all faults at once.
    """

    dataset: str = "digits"  # or "drawn.<points>", "upload.<digest>"
    data_folder: str | None = None  # where MNIST's files lie; None asks the environment
    objective: str = "iwae"
    objective_setting: float | None = None  # alpha, beta or M; None takes the entry's default
    estimator: str = "reparameterized"
    n_samples: int = 5  # K, importance samples per datapoint
    backward: str = "exact"  # or through few samples: "truncated", "resampled"
    backward_epsilon: float = 0.01  # share of the weight that "truncated" may leave out
    backward_picks: int = 4  # samples per datapoint that "resampled" draws
    latent_dim: int = 8  # of the layer next to the data
    second_latent_dim: int | None = None  # a second stochastic layer above it; None has none
    hidden: tuple[int, ...] = (100, 100)  # encoder's widths; the decoder mirrors them
    second_hidden: tuple[int, ...] = (100, 100)  # widths between the two stochastic layers
    activation: str = "tanh"
    likelihood: str = "auto"  # "auto" takes the one that fits the data
    likelihood_scale: float | None = None  # Gaussian only; None learns one per coordinate
    decoder: str = "mlp"  # or "autoregressive", binary data only
    learning_rate: float = 1e-3
    rate_schedule: str = "constant"  # or "burda"
    rate_stretch: float = 1.0  # length of Burda's 3,280 epochs as a multiple of theirs
    adam_eps: float = 1e-4  # Burda et al. (2016)
    batch_size: int = 100
    beta: float = 1.0  # weight of log p(z) - log q(z | x); 1 gives the bound itself
    kl_schedule: str = "constant"  # a factor of beta: "linear" warm-up or "cyclical"
    kl_steps: int = 1000  # length of the warm-up, or of one cycle, in updates
    kl_ramp: float = 0.5  # share of a cycle in which the weight rises
    free_bits: float = 0.0  # nats that each latent may cost before its KL counts (batch mean)
    target_rate: float | None = None  # total KL in nats to hold; None lets it find its level
    patience: int | None = None  # epochs without a better held-out bound; None never stops
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        try:
            for field in dataclasses.fields(self):
                object.__setattr__(self, field.name, _plain(getattr(self, field.name)))
            faults = [*self._unknown_names(), *self._out_of_range(), *self._misfits()]
        except TypeError as fault:
            raise ValueError(f"a setting has a value of the wrong type: {fault}") from fault
        if faults:
            raise ValueError("; ".join(faults))

    def _unknown_names(self) -> list[str]:
        choices = (
            ("objective", self.objective, OBJECTIVES),
            ("estimator", self.estimator, ESTIMATORS),
            ("backward", self.backward, BACKWARD),
            ("activation", self.activation, ACTIVATIONS),
            ("likelihood", self.likelihood, ("auto", *LIKELIHOODS)),
            ("decoder", self.decoder, DECODERS),
            ("kl_schedule", self.kl_schedule, KL_SCHEDULES),
            ("rate_schedule", self.rate_schedule, RATE_SCHEDULES),
            ("device", self.device, DEVICES),
        )
        faults = []
        try:
            datasets.check_name(self.dataset)
        except ValueError as fault:
            faults.append(f"dataset: {fault}")
        for kind, name, known in choices:
            try:
                check_known(name, known, kind)
            except ValueError as fault:
                faults.append(str(fault))
        return faults

    def _out_of_range(self) -> list[str]:
        faults = []
        for name in ("n_samples", "latent_dim", "batch_size", "kl_steps", "backward_picks"):
            value = getattr(self, name)
            if not _is_count(value):
                faults.append(f"{name} must be a whole number of at least 1, got {value!r}")
        for name in ("second_latent_dim", "patience"):
            value = getattr(self, name)
            if value is not None and not _is_count(value):
                faults.append(f"{name} must be None or a whole number from 1, got {value!r}")
        for name in ("hidden", "second_hidden"):
            widths = getattr(self, name)
            if (
                not isinstance(widths, tuple)
                or not widths
                or not all(_is_count(width) for width in widths)
            ):
                faults.append(f"{name} must hold widths of at least 1, got {widths}")
        if not 0 <= self.backward_epsilon < 1:
            faults.append(f"backward_epsilon must lie in [0, 1), got {self.backward_epsilon}")
        if not 0 < self.kl_ramp <= 1:
            faults.append(f"kl_ramp must lie in (0, 1], got {self.kl_ramp}")
        if not 0 < self.rate_stretch < math.inf:
            faults.append(f"rate_stretch must be positive and finite, got {self.rate_stretch}")
        if not 0 < self.learning_rate < 1:
            faults.append(f"learning_rate must lie in (0, 1), got {self.learning_rate}")
        if self.objective_setting is not None and math.isnan(self.objective_setting):
            faults.append("objective_setting must be None or a number, got nan")
        if not 0 < self.adam_eps < 1:
            faults.append(f"adam_eps must lie in (0, 1), got {self.adam_eps}")
        if not 0 <= self.beta < math.inf:
            faults.append(f"beta must be finite and not negative, got {self.beta}")
        if self.likelihood_scale is not None and not 0 < self.likelihood_scale < math.inf:
            faults.append(
                f"likelihood_scale must be positive and finite, got {self.likelihood_scale}"
            )
        if not (_is_count(self.seed, 0) and self.seed < 2**63):
            faults.append(f"seed must be whole and lie in [0, 2**63), got {self.seed!r}")
        return faults

    def _misfits(self) -> list[str]:
        faults = []
        if self.objective in OBJECTIVES:
            try:
                objective = make_objective(self.objective, self.objective_setting)
                if _is_count(self.n_samples):
                    objective(torch.zeros(self.n_samples, 1))
            except ValueError as fault:
                faults.append(str(fault))
        if self.estimator == "closed_form_kl" and self.backward != "exact":
            faults.append(
                "estimator closed_form_kl weights no samples, so it goes with backward exact "
                f"only, got {self.backward!r}"
            )
        if self.estimator == "closed_form_kl" and self.objective != "elbo":
            faults.append(
                "estimator closed_form_kl has no weights to average, so it goes with objective "
                f"elbo only, got {self.objective!r}"
            )
        if self.estimator == "closed_form_kl" and self.second_latent_dim is not None:
            faults.append(
                "estimator closed_form_kl needs a KL in closed form, which two stochastic layers "
                "do not have; use reparameterized"
            )
        if self.estimator in ESTIMATORS:
            try:
                make_estimator(
                    self.estimator, free_bits=self.free_bits, target_rate=self.target_rate
                )
            except ValueError as fault:
                faults.append(str(fault))
        if self.decoder == "autoregressive" and self.likelihood == "gaussian":
            faults.append("decoder autoregressive draws binary pixels, got likelihood 'gaussian'")
        return faults

    def with_changes(self, **changes: Any) -> "TrainConfig":
        """The same run with some live fields changed.

        Raises:
            ValueError: If a field is unknown or cannot change while a run goes on, or its value is
                refused.
        """
        for name in changes:
            check_known(name, LIVE_FIELDS, "live field")
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        lists = {"hidden": list(self.hidden), "second_hidden": list(self.second_hidden)}
        return dataclasses.asdict(self) | lists

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainConfig":
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: If a field is unknown or its value is refused.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            check_known(name, known, "setting")
        return cls(**values)

    def resolved_device(self) -> torch.device:
        """The device that ``device`` means on this machine.

        Raises:
            ValueError: If it was named and is not there.
        """
        present = {
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
            "cpu": True,
        }
        if self.device == "auto":
            return torch.device(next(name for name, there in present.items() if there))
        if not present[self.device]:
            raise ValueError(
                f"device {self.device!r} is not available on this machine; "
                "use 'auto' to take the best there is"
            )
        return torch.device(self.device)


def _plain(value: Any) -> Any:
    """What JSON can hold, and equal configs have in common: no path, no list, no NumPy number."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _is_count(value: object, at_least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least
