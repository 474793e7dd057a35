"""Lesson: four ways in which weights fail, and what can and cannot be seen of it."""

from iwae_core.ui import failing_flag, failing_lift, failing_lucky, failing_tails, parts

LESSON = parts.Lesson(
    page="when_weights_fail",
    parts={
        "tails": ("Light tails", failing_tails),
        "lucky": ("One lucky particle", failing_lucky),
        "how_many": ("How many samples", failing_flag),
        "lift": ("Many dimensions", failing_lift),
    },
)

LESSON.open()
