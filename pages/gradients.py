"""Lesson: how samples add up to a gradient, and what is left of it as K grows."""

from iwae_core.ui import (
    gradients_backward,
    gradients_fans,
    gradients_samples,
    gradients_snr,
    parts,
)

LESSON = parts.Lesson(
    page="gradients",
    parts={
        "samples": ("Who is heard", gradients_samples),
        "fans": ("Sixty arrows", gradients_fans),
        "snr": ("Signal to noise", gradients_snr),
        "backward": ("Fewer backward", gradients_backward),
    },
)

LESSON.open()
