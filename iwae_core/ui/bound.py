"""What the parts of the lesson *From ELBO to IWAE* share: q and the seed."""

from typing import Any

from iwae_core.evaluation.studies.tightness import TightnessConfig
from iwae_core.ui.fields import BoolField, Field, FloatField, SeedField
from iwae_core.ui.url import Link

_START = TightnessConfig()
SHIFT = FloatField(name="shift", default=_START.shift, low=-3.0, high=3.0)
SCALE = FloatField(name="scale", default=_START.scale, low=0.4, high=3.0)
CORRELATED = BoolField(name="correlated", default=_START.correlated)
SEED = SeedField()

Q_SETTINGS: dict[str, Field[Any]] = {"shift": SHIFT, "scale": SCALE, "correlated": CORRELATED}


def q(link: Link) -> dict[str, Any]:
    """The mismatch of q and the seed, by the names of ``TightnessConfig``."""
    return {name: link.value(field) for name, field in Q_SETTINGS.items()} | {
        "seed": link.value(SEED)
    }
