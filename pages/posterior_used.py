"""Lesson: q, weighted by K samples, is another posterior; it flows into the exact one."""

from iwae_core.ui import parts, posterior_best, posterior_digits, posterior_drag

LESSON = parts.Lesson(
    page="posterior_used",
    parts={
        "drag": ("Drag q", posterior_drag),
        "trained": ("q by ELBO, q by IWAE", posterior_best),
        "digits": ("Trained on digits", posterior_digits),
    },
)

LESSON.open()
