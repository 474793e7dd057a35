"""Flush denormal numbers to zero, for the length of a block, and leave no trace.

Normalized weights underflow. Where they become denormal numbers the processor needs a hundred
cycles for each: a step at K = 50 on MNIST gets up to three times slower as training goes on. The
setting belongs to the thread, and other code (a property test, a root finder) may rely on the
gradual underflow it switches off, so it is put back.

Where torch computes with several threads, the others take the setting over when they start, at
the first operation large enough, and keep it. A program that trains with several threads should
call ``torch.set_flush_denormal(True)`` before anything else; workers here have one thread, and the
command line flushes from its start.
"""

import contextlib
from collections.abc import Iterator

import torch


def are_flushed() -> bool:
    """Whether this thread's arithmetic takes denormal numbers for zero.

    torch can set the flag but not read it; adding the smallest denormal to itself tells.
    """
    smallest = float.fromhex("0x0.0000000000001p-1022")
    return smallest + smallest == 0.0


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """Flush denormal numbers inside the block, or inside a decorated function."""
    before = are_flushed()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
