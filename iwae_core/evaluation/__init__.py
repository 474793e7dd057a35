"""What a trained model is worth: likelihood, posterior, collapse, gradients, representation."""

from iwae_core.evaluation.collapse import CollapseReport, collapse_report
from iwae_core.evaluation.likelihood import log_likelihood

__all__ = ["CollapseReport", "collapse_report", "log_likelihood"]
