"""The controls of the training page as fields of its address."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from iwae_core import datasets
from iwae_core.bounds.backward import BACKWARD
from iwae_core.datasets import drawn, uploads
from iwae_core.models.model import DECODERS
from iwae_core.models.networks import ACTIVATIONS
from iwae_core.training.schedule import KL_SCHEDULES, RATE_SCHEDULES
from iwae_core.ui.fields import ChoiceField, Field, FloatField, IntField, SeedField

DRAWN, UPLOAD = "drawn", "upload"

# What a learner chooses between: the objective, and the one gradient it may be tied to.
METHODS: Mapping[str, tuple[str, str | None]] = {
    "vae": ("elbo", "closed_form_kl"),
    "elbo": ("elbo", None),
    "iwae": ("iwae", None),
    "ciwae": ("ciwae", None),
    "miwae": ("miwae", None),
    "piwae": ("miwae", "piwae"),
    "renyi": ("renyi", None),
}
GRADIENTS: Mapping[str, str] = {
    "plain": "reparameterized",
    "stl": "stick_the_landing",
    "dreg": "doubly_reparameterized",
    "rws": "wake_sleep",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WordField:
    """A word that carries data, such as a drawing; ``check`` says why it does not."""

    name: str
    default: str
    check: Callable[[str], object]

    def parse(self, text: str) -> str:
        """Read the word."""
        try:
            self.check(text)
        except ValueError as fault:
            raise ValueError(f"cannot be read: {fault}") from fault
        return text

    def write(self, value: str) -> str:
        """Write the word itself."""
        return value


def _check_digest(text: str) -> None:
    if text:
        uploads.check_name(uploads.PREFIX + text)


# Where a drawing starts: a spiral of two turns, and a blot beside it.
EXAMPLE = (
    "hkfldmbmZmXkWjVhVfVdVbWZXXZWbVdUfUhUjUlVnWoXqYrasbtdtfthtjtlsnsprrptoumvlwjxhyfydyby"
    "ZyXyVxTwRvQuOsNrMpLoKmJkJiJgJeJcJaJYKWLUMSNROPQORMTLVKXJYJaIcIeIgHiIkImIoJqKsLuMvNxO"
    "yP0R1T2U3W4Y4a5c5e5g6i6k5m5o5J3J5H8H5I7H6F4G3E2H5G5F5H6G4E4D3J1I6G6I7H4G3H4J2F3D8D5G"
)

DATASET = ChoiceField(name="data", default="digits", choices=(*datasets.DATASETS, DRAWN, UPLOAD))
POINTS = WordField(name="points", default=EXAMPLE, check=drawn.decode)
TABLE = WordField(name="table", default="", check=_check_digest)

METHOD = ChoiceField(name="objective", default="iwae", choices=tuple(METHODS))
N_SAMPLES = IntField(name="K", default=5, low=1, high=128)
GRADIENT = ChoiceField(name="gradient", default="plain", choices=tuple(GRADIENTS))
ALPHA = FloatField(name="alpha", default=0.5, low=-2.0, high=2.0)
SHARE = FloatField(name="share", default=0.5, low=0.0, high=1.0)
GROUPS = IntField(name="groups", default=1, low=1, high=128)
BACKWARD_WAY = ChoiceField(name="backward", default="exact", choices=BACKWARD)
EPSILON = FloatField(name="epsilon", default=0.01, low=0.001, high=0.5)
PICKS = IntField(name="picks", default=4, low=1, high=32)
BETA = FloatField(name="beta", default=1.0, low=0.0, high=10.0)
KL_SCHEDULE = ChoiceField(name="warmup", default="constant", choices=tuple(KL_SCHEDULES))
KL_STEPS = IntField(name="warmup_steps", default=1000, low=10, high=20_000)
KL_RAMP = FloatField(name="ramp", default=0.5, low=0.1, high=1.0)
KL_RULE = ChoiceField(name="rule", default="none", choices=("none", "free", "rate"))
FREE_BITS = FloatField(name="free", default=0.5, low=0.05, high=3.0)
TARGET_RATE = FloatField(name="target", default=10.0, low=0.5, high=50.0)

LEARNING_RATE = FloatField(name="rate", default=0.002, low=0.0001, high=0.5)
BATCH_SIZE = IntField(name="batch", default=100, low=10, high=500)
RATE_SCHEDULE = ChoiceField(name="decay", default="constant", choices=tuple(RATE_SCHEDULES))
STRETCH = FloatField(name="stretch", default=0.02, low=0.001, high=1.0)
PATIENCE = IntField(name="patience", default=0, low=0, high=200)  # 0 never stops

LATENT_DIM = IntField(name="latents", default=8, low=1, high=64)
LAYERS = ChoiceField(name="layers", default="1", choices=("1", "2"))
SECOND_DIM = IntField(name="upper", default=4, low=1, high=64)
DEPTH = IntField(name="depth", default=2, low=1, high=4)
WIDTH = ChoiceField(
    name="width", default="auto", choices=("auto", "25", "50", "100", "200", "400")
)
ACTIVATION = ChoiceField(name="activation", default="tanh", choices=tuple(ACTIVATIONS))
LIKELIHOOD = ChoiceField(
    name="likelihood", default="auto", choices=("auto", "bernoulli", "gaussian", "fixed")
)
NOISE = FloatField(name="noise", default=0.1, low=0.01, high=2.0)
DECODER = ChoiceField(name="decoder", default="mlp", choices=DECODERS)
SEED = SeedField()

# Everything that decides a run, in the order of the address.
FIELDS: tuple[Field[Any], ...] = (
    *(DATASET, POINTS, TABLE, METHOD, N_SAMPLES, GRADIENT, ALPHA, SHARE, GROUPS),
    *(BACKWARD_WAY, EPSILON, PICKS, BETA, KL_SCHEDULE, KL_STEPS, KL_RAMP),
    *(KL_RULE, FREE_BITS, TARGET_RATE, LEARNING_RATE, BATCH_SIZE, RATE_SCHEDULE, STRETCH),
    *(PATIENCE, LATENT_DIM, LAYERS, SECOND_DIM, DEPTH, WIDTH, ACTIVATION, LIKELIHOOD, NOISE),
    *(DECODER, SEED),
)
