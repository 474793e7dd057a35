"""The board *Train K by test K* as work: which trainings it takes, and what their results give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from iwae_core.counts import is_count
from iwae_core.evaluation.studies import ruler_board, rulers
from iwae_core.evaluation.studies.ruler_board import BoardReport
from iwae_core.evaluation.studies.rulers import RowReport, RulersConfig
from iwae_core.names import check_known
from iwae_core.training import TrainConfig, trials
from iwae_core.training.trials import Trial

KINDS: Mapping[str, str] = {**rulers.FAMILIES, "digits": "Digits"}
TRAIN_K = rulers.TRAIN_K
_RATE, _LATENT_DIM = 0.002, 16  # on the digits; as in benchmarks/claims_evidence.py

Part = tuple[int, int]  # K and seed of one training
Row = RowReport | Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardConfig:
    """Everything that decides a board.

    Attributes:
        kind: Key of ``KINDS``: the oracle with a round or a free q, or the digits.
        n_steps: Updates of each training.
        n_seeds: Trainings behind each row.
        seed: The first of their seeds.
    """

    kind: str = "round"
    n_steps: int = 1500
    n_seeds: int = 5
    seed: int = 1

    def __post_init__(self) -> None:
        check_known(self.kind, KINDS, "kind of board")
        faults = []
        if not is_count(self.n_steps):
            faults.append(f"n_steps must be at least 1, got {self.n_steps}: a whole number?")
        if not is_count(self.n_seeds):
            faults.append(f"n_seeds must be at least 1, got {self.n_seeds}: a whole number?")
        if not is_count(self.seed, 0):
            faults.append(f"seed must not be negative, got {self.seed}: a whole number?")
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def on_oracle(self) -> bool:
        """Whether the true log p(x) is known."""
        return self.kind in rulers.FAMILIES

    @property
    def test_k(self) -> tuple[int, ...]:
        """K of the columns that have one."""
        return rulers.TEST_K if self.on_oracle else trials.BOARD_K

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the rulers; the last is exact, or what stands in for it."""
        return (
            (*map(str, rulers.TEST_K), "exact")
            if self.on_oracle
            else tuple(map(str, trials.BOARD_K))
        )


def parts(config: BoardConfig) -> tuple[Part, ...]:
    """The trainings, as K and seed: seed after seed, so that no row stays empty for long."""
    seeds = range(config.seed, config.seed + config.n_seeds)
    return tuple((K, seed) for seed in seeds for K in TRAIN_K)


def train_config(n_samples: int, seed: int) -> TrainConfig:
    """One training on the digits."""
    return TrainConfig(
        dataset="digits",
        n_samples=n_samples,
        latent_dim=_LATENT_DIM,
        learning_rate=_RATE,
        seed=seed,
    )


def work(config: BoardConfig, part: Part) -> Row:
    """One training: on the oracle the whole of it, on the digits its first piece."""
    n_samples, seed = part
    if not config.on_oracle:
        trained = train_config(n_samples, seed)
        return trials.carry_on(Trial(config=trained, n_steps=config.n_steps, measures="bounds"))
    return rulers.run(
        RulersConfig(family=config.kind, n_samples=n_samples, n_steps=config.n_steps, seed=seed)
    )


def carry_out(config: BoardConfig, part: Part) -> Row:
    """All of one training."""
    row = work(config, part)
    return trials.carry_out(row) if isinstance(row, Trial) else row


def report(config: BoardConfig, rows: Sequence[Row], *, made_by: str) -> BoardReport:
    """The board as far as its trainings are done."""
    return ruler_board.combine(
        [_row(row) for row in rows],
        TRAIN_K,
        config.columns,
        rulers.true_log_marginal() if config.on_oracle else None,
        made_by=made_by,
    )


def _row(row: Row) -> RowReport:
    if isinstance(row, RowReport):
        return row
    assert row.found is not None
    return RowReport(
        n_samples=row.config.n_samples,
        seed=row.config.seed,
        values=np.stack([row.found[f"L_{K}"] for K in trials.BOARD_K]),
    )
