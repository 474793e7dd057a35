"""Settings that hold for every test."""

import os
import tempfile

# Each xdist worker computes on one thread: two workers with two threads each wait for one another
# (representation tests: 52 s instead of 8 on a busy machine). Set before NumPy reads it.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

# The first torch call of a process takes half a second, which no deadline should judge.
settings.register_profile("default", deadline=None, max_examples=60)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

torch.set_num_threads(1)

# No test, and no server that a test starts, touches the runs of whoever runs the tests.
_kept = tempfile.TemporaryDirectory(prefix="iwae-lab-kept-", ignore_cleanup_errors=True)
os.environ["IWAE_LAB_DATABASE"] = f"sqlite:///{_kept.name}/runs.sqlite"
os.environ["IWAE_LAB_UPLOADS"] = f"{_kept.name}/uploads"
os.environ.pop("IWAE_LAB_ARRAYS", None)
