"""Lesson: the same weights under two bounds, and the gap to log p(x) as K grows."""

from iwae_core.ui import bound_coins, bound_jensen, bound_ways, parts, tightness

LESSON = parts.Lesson(
    page="elbo_to_iwae",
    parts={
        "coins": ("Same coins, new boxes", bound_coins),
        "jensen": ("Why: the log is curved", bound_jensen),
        "curve": ("Bound against K", tightness),
        "three_ways": ("K = 1: the ELBO", bound_ways),
    },
)

LESSON.open()
