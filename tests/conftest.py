"""Settings that hold for every test."""

import os

import torch
from hypothesis import settings

# The first torch call of a process takes half a second, which no deadline should judge.
settings.register_profile("default", deadline=None, max_examples=60)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

torch.set_num_threads(1)
