"""Settings that hold for every test."""

import atexit
import os
import tempfile

# Each xdist worker computes on one thread: two workers with two threads each wait for one another
# (representation tests: 52 s instead of 8 on a busy machine). Set before NumPy reads it.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

# Neither the first torch call of a process, which takes half a second, nor a busy machine is a
# fault. The same examples each time, so that a suite that passes passes again;
# IWAE_LAB_EXPLORE=1000 looks for new ones.
SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", max_examples=60, derandomize=True, **SLOW)
settings.load_profile("same")
if n_examples := os.environ.get("IWAE_LAB_EXPLORE"):
    settings.register_profile("explore", max_examples=int(n_examples), **SLOW)
    settings.load_profile("explore")

torch.set_num_threads(1)

# No test, and no server that a test starts, touches the runs of whoever runs the tests.
_kept = tempfile.TemporaryDirectory(prefix="iwae-lab-kept-", ignore_cleanup_errors=True)
atexit.register(_kept.cleanup)
os.environ["IWAE_LAB_DATABASE"] = f"sqlite:///{_kept.name}/runs.sqlite"
os.environ["IWAE_LAB_UPLOADS"] = f"{_kept.name}/uploads"
os.environ.pop("IWAE_LAB_ARRAYS", None)
