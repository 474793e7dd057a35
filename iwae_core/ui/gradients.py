"""What the parts of the lesson *Gradients* share: q's place and the seed."""

from typing import Any

from iwae_core.evaluation.studies.contributions import ContributionsConfig
from iwae_core.ui import controls
from iwae_core.ui.fields import Field, FloatField, SeedField
from iwae_core.ui.url import Link

_START = ContributionsConfig()
SHIFT = FloatField(name="shift", default=_START.shift, low=-3.0, high=3.0)
SCALE = FloatField(name="scale", default=_START.scale, low=1.0, high=2.0)
SEED = SeedField()
PATIENCE = 1.0  # s for which the old picture stands while a worker is at the next one, for a tenth

Q_SETTINGS: dict[str, Field[Any]] = {"shift": SHIFT, "scale": SCALE}


def q(link: Link) -> dict[str, Any]:
    """Where q stands, and the seed, by the names that every study of gradients has for them."""
    return {
        "shift": link.value(SHIFT),
        "scale": link.value(SCALE),
        "seed": link.value(SEED),
    }


def q_controls(link: Link) -> None:
    """Q's place in numbers."""
    controls.number(link, SHIFT, "q: mean off by", unit="posterior widths", step=0.1)
    controls.number(link, SCALE, "q: width", unit="times the posterior's", step=0.1)
