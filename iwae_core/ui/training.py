"""The controls of the training page as fields of its address, and the run they describe."""

from collections.abc import Mapping

from iwae_core import datasets
from iwae_core.training import TrainConfig
from iwae_core.ui import code
from iwae_core.ui.fields import ChoiceField, FloatField, IntField, SeedField
from iwae_core.ui.runs import METHODS
from iwae_core.ui.url import Link

DATASET = ChoiceField(name="data", default="digits", choices=tuple(datasets.DATASETS))
METHOD = ChoiceField(name="objective", default="iwae", choices=tuple(METHODS))
N_SAMPLES = IntField(name="K", default=5, low=1, high=128)
LATENT_DIM = IntField(name="latents", default=8, low=1, high=64)
LEARNING_RATE = FloatField(name="rate", default=0.002, low=0.0001, high=0.1)
BATCH_SIZE = IntField(name="batch", default=100, low=10, high=500)
SEED = SeedField()
GUESS = ChoiceField(name="guess", default="none", choices=("none", "one", "many", "both"))
GUESSES = {"none": "Not yet", "one": "dashed, L₁", "many": "solid, L₆₄", "both": "both alike"}
FIELDS = (DATASET, METHOD, N_SAMPLES, LATENT_DIM, LEARNING_RATE, BATCH_SIZE, SEED, GUESS)

# Burda's widths for 784 pixels; small data need less, and train faster on a shared server.
_WIDE, _NARROW = (200, 200), (100, 100)


def dataset_names() -> Mapping[str, str]:
    """What the choice of data reads."""
    return {name: spec.title for name, spec in datasets.DATASETS.items()}


def config(link: Link) -> TrainConfig:
    """The run that the controls describe."""
    objective, estimator = METHODS[link.value(METHOD)]
    dataset = link.value(DATASET)
    return TrainConfig(
        dataset=dataset,
        objective=objective,
        estimator=estimator,
        n_samples=link.value(N_SAMPLES),
        latent_dim=link.value(LATENT_DIM),
        hidden=_WIDE if "mnist" in dataset else _NARROW,
        learning_rate=link.value(LEARNING_RATE),
        batch_size=link.value(BATCH_SIZE),
        seed=link.value(SEED),
    )


def script(config: TrainConfig) -> str:
    """The page's run as a script: the same seed, the same numbers."""
    return code.fill(
        code.template("train"),
        DATASET=config.dataset,
        OBJECTIVE=config.objective,
        ESTIMATOR=config.estimator,
        K=config.n_samples,
        LATENT_DIM=config.latent_dim,
        HIDDEN=config.hidden,
        LEARNING_RATE=config.learning_rate,
        BATCH_SIZE=config.batch_size,
        SEED=config.seed,
    )
