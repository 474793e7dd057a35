"""Lesson: what to do when the weights of one proposal are not good enough."""

from iwae_core.ui import better_board, better_mixtures, better_rare, better_ratio, parts

LESSON = parts.Lesson(
    page="better_proposals",
    parts={
        "ratio": ("Divide by the weights", better_ratio),
        "mixtures": ("Several proposals", better_mixtures),
        "rare": ("A rare event", better_rare),
        "board": ("All on one board", better_board),
    },
)

LESSON.open()
