"""A run's past as the constants of a script that trains it again."""

from iwae_core.runtime.lineage import Lineage
from iwae_core.training import TrainConfig
from iwae_core.ui.code import Constant


def constants(lineage: Lineage, step: int) -> dict[str, Constant]:
    """What a script sets that begins a run, makes its changes, and goes on to a step.

    Args:
        lineage: The run's past.
        step: Updates taken in the end, no fewer than at the last change.
    """
    config, default = lineage.config, TrainConfig()
    settings = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.to_json().items()
        if getattr(config, name) != getattr(default, name)
    }
    changes = tuple((each.step, dict(each.values)) for each in lineage.changes)
    return {"SETTINGS": settings, "CHANGES": changes, "N_STEPS": step}
