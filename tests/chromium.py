"""Which browser the tests and benchmarks drive, and how it is started."""

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find() -> str | None:
    """Path of the browser: ``IWAE_LAB_CHROMIUM`` where set, else the first known name."""
    named = os.environ.get("IWAE_LAB_CHROMIUM")
    return next(filter(None, map(shutil.which, (named,) if named else NAMES)), None)
