"""The first steps of a page's run, taken unasked: whoever opens the page sees it move, then full.

Only what the page begins with does so, once in a session: what a control begins later, what is
started over and what the address names stand where they stand. The steps are few, and fewer where
each is dear; they wait behind all that somebody has asked for, so that a class that opens the page
at once keeps nobody from playing; they count against the same limits, and leave nothing in the
store. How many there are depends on the settings alone: the same link gives the same picture.
"""

from typing import Any

import streamlit as st

from iwae_core.runtime.lock_step import LockStep
from iwae_core.training import TrainConfig
from iwae_core.ui import controls
from iwae_core.ui.desk import Desk
from iwae_core.ui.fields import ChoiceField
from iwae_core.ui.training_limits import cost
from iwae_core.ui.url import Link

OPENS = ChoiceField(name="opens", default="moving", choices=("moving", "still"))

MOST_STEPS = 300
MOST_SECONDS = 2.0  # of one core, estimated, for all sides together
_OVERHEAD = 0.002  # seconds of a step beside its matrix products
_TAKEN = "first_steps.taken"  # pages of this session whose first run has begun


def n_steps(configs: tuple[TrainConfig, ...]) -> int:
    """How many there are for runs of these settings; none where a single one is dear.

    >>> n_steps((TrainConfig(hidden=(100,), latent_dim=2),))
    300
    """
    each = sum(cost(config).seconds + _OVERHEAD for config in configs)
    return min(MOST_STEPS, int(MOST_SECONDS / each))


def take(link: Link, live: LockStep[Any, Any], desk: Desk[Any]) -> None:
    """Let the page's first run take its first steps, unless the address asks it not to."""
    taken: set[str] = st.session_state.setdefault(_TAKEN, set())
    is_first = link.page not in taken
    taken.add(link.page)
    if not is_first or desk.session().shown or link.value(OPENS) == "still":
        return
    if not desk.in_the_way(live):
        live.open(n_steps(live.settings))


def control(link: Link) -> None:
    """What a link to this page begins with; for a teacher who wants a prediction first."""
    controls.choice(
        link,
        OPENS,
        "Opened by a link, a new run",
        names={"moving": "takes its first steps", "still": "stands at step 0"},
    )
