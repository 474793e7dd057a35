"""The five uses of two settings as work: the trials it takes, and what their results give."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from iwae_core.counts import is_count
from iwae_core.evaluation.studies import compared
from iwae_core.evaluation.studies.compared import ComparedReport
from iwae_core.evaluation.studies.use_cases import Found
from iwae_core.training import TrainConfig, trials
from iwae_core.training.trials import Trial

Part = tuple[int, int]  # side (0 or 1) and seed of one trial


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


def parts(config: TrialsConfig) -> tuple[Part, ...]:
    """The trials, as side (0 or 1) and seed; seed after seed."""
    first = config.first.seed
    return tuple((side, seed) for seed in range(first, first + config.n_seeds) for side in (0, 1))


def work(config: TrialsConfig, part: Part) -> Trial:
    """The first piece of one trial."""
    return trials.carry_on(_trial(config, part))


def carry_out(config: TrialsConfig, part: Part) -> Trial:
    """All of one trial."""
    return trials.carry_out(_trial(config, part))


def report(config: TrialsConfig, done: Sequence[Trial], *, made_by: str) -> ComparedReport | None:
    """The comparison at the seeds that both sides have; None while there is none.

    Args:
        config: The two settings.
        done: Trials in the order of :func:`parts`, as many as there are by now.
        made_by: What computed them.
    """
    sides: tuple[dict[int, Found], dict[int, Found]] = ({}, {})
    for (side, seed), trial in zip(parts(config), done, strict=False):
        if trial.found is not None:
            sides[side][seed] = trial.found
    return compared.compare(*sides, config.settings, made_by=made_by)


def _trial(config: TrialsConfig, part: Part) -> Trial:
    side, seed = part
    setting = (config.first, config.second)[side]
    return Trial(config=replace(setting, seed=seed), n_steps=config.n_steps)
