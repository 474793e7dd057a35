"""Generative models with an encoder, and exactly solvable ones to test against."""
