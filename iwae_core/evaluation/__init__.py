"""What a trained model is worth: likelihood, posterior, collapse, gradients, representation."""

from iwae_core.evaluation.ais import AisConfig, AisReport, ais, prior_start
from iwae_core.evaluation.collapse import CollapseReport, collapse_report
from iwae_core.evaluation.gradients import GradientReport, gradient_fan, gradient_snr
from iwae_core.evaluation.likelihood import log_likelihood

__all__ = [
    "AisConfig",
    "AisReport",
    "CollapseReport",
    "GradientReport",
    "ais",
    "collapse_report",
    "gradient_fan",
    "gradient_snr",
    "log_likelihood",
    "prior_start",
]
