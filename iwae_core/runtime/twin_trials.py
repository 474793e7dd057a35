"""The five uses of two settings as work: the trials it takes, and what their results give."""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from iwae_core.counts import is_count
from iwae_core.evaluation.studies import compared
from iwae_core.evaluation.studies.compared import ComparedReport
from iwae_core.training import TrainConfig
from iwae_core.training.trials import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialsConfig:
    """Two settings, and how often they are trained.

    Attributes:
        first: Setting A; its seed is the first of all.
        second: Setting B.
        n_steps: Updates of each training.
        n_seeds: Trainings of each setting.
    """

    first: TrainConfig
    second: TrainConfig
    n_steps: int = 2000
    n_seeds: int = 5

    def __post_init__(self) -> None:
        for name in ("n_steps", "n_seeds"):
            if not is_count(getattr(self, name)):
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def settings(self) -> tuple[str, str]:
        """What both sides are, as JSON: equal texts mean equal trials."""
        first, second = (
            json.dumps({"n_steps": self.n_steps, **side.to_json()}, sort_keys=True)
            for side in (self.first, self.second)
        )
        return first, second


def items(config: TrialsConfig) -> dict[Hashable, Trial]:
    """The trials, by side (0 or 1) and seed; seed after seed."""
    first = config.first.seed
    return {
        (side, seed): Trial(config=replace(setting, seed=seed), n_steps=config.n_steps)
        for seed in range(first, first + config.n_seeds)
        for side, setting in enumerate((config.first, config.second))
    }


def report(
    config: TrialsConfig, finished: Mapping[Hashable, Trial], *, made_by: str
) -> ComparedReport | None:
    """The comparison at the seeds that both sides have; None while there is none."""
    sides = tuple(
        {
            trial.config.seed: trial.found
            for key, trial in finished.items()
            if isinstance(key, tuple) and key[0] == side and trial.found is not None
        }
        for side in (0, 1)
    )
    return compared.compare(sides[0], sides[1], config.settings, made_by=made_by)
