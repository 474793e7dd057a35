"""Importance sampling, up to the log weights: densities, problems, estimators, diagnostics."""
