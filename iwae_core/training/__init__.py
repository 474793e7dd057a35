"""A run as a value: configuration, state, and the pure step between states."""

from iwae_core.training.checkpoint import load, save
from iwae_core.training.config import LIVE_FIELDS, TrainConfig
from iwae_core.training.presets import burda_config
from iwae_core.training.run import Records, Slice, advance
from iwae_core.training.state import RunState, Stop, begin, model_of

__all__ = [
    "LIVE_FIELDS",
    "Records",
    "RunState",
    "Slice",
    "Stop",
    "TrainConfig",
    "advance",
    "begin",
    "burda_config",
    "load",
    "model_of",
    "save",
]
