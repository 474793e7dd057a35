"""How long tests wait for what must come, in one place.

A wait ends when its condition holds, so that patience costs nothing where all is well. It is long
enough for a machine that is busy with other things: training has the lowest priority, and gets a
twentieth of a core where two others want each of them.
"""

import time
from collections.abc import Callable

SECONDS = 240
MS = 1000 * SECONDS


def wait_for(condition: Callable[[], object]) -> None:
    """Wait for something that happens beside the test, in another thread or process."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
