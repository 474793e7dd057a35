"""The player of a training run: its live picture and the buttons that drive it.

Both live in the browser (assets/components/train.js). Pictures come by a route (ui/live.py); what
is pressed comes back as the component's state, a list of numbered commands. A press shows in the
browser at once and reaches the run a rerun later.
"""

import math
from collections.abc import Callable, Mapping

import streamlit as st

from iwae_core.counts import is_count
from iwae_core.runtime.kept_limits import Limits
from iwae_core.runtime.live import LiveRun
from iwae_core.ui import component

NAME = "iwae_lab_train"
KEY = "runs.picture"
_HEARD = "runs.heard"  # number of the last command obeyed
_MOST_STEPS = 1000  # at one press


def show(
    run: LiveRun,
    *,
    title: str,
    may_drive: bool = True,
    play: Callable[[LiveRun], None] = LiveRun.play,
    fork: Callable[[int], None] | None = None,
    is_shown: Callable[[LiveRun], bool] = lambda run: True,
) -> None:
    """Draw the run and let a person drive it.

    Args:
        run: What is shown.
        title: Name of the trained objective, for the legend.
        may_drive: Whether the run is the reader's; if not, there is only the picture.
        play: Lets the run go on, or says why it may not.
        fork: Begins a branch at a step; None where there is nothing to fork.
        is_shown: Whether the run is still the page's: a fork, or a control, may have put another
            in its place before the browser knows. What is pressed then is meant for that one;
            the browser sees that nobody obeyed, and asks it again.
    """

    def one(run: LiveRun, what: object, value: object) -> None:
        if what == "fork" and fork is not None and isinstance(value, int) and is_count(value, 0):
            fork(value)
        elif what == "play" and may_drive:
            play(run)
        elif may_drive:
            obey(run, what, value)

    def take() -> None:
        sent = (st.session_state.get(KEY) or {}).get("commands")
        heard = st.session_state.get(_HEARD, 0)
        st.session_state[_HEARD] = obey_all(run, sent, heard, one, is_shown)

    component.of_module(NAME, "train.js")(
        key=KEY,
        data={
            "run_id": run.run_id,
            "objective_title": title,
            "may_drive": may_drive,
            "may_fork": fork is not None,
            "limit": Limits().about_playing,
            "heard": st.session_state.get(_HEARD, 0),
        },
        on_commands_change=take,
    )


def obey(run: LiveRun, what: object, value: object = None) -> None:
    """Do what one button says: play, pause, step, reset, or pace with its steps per second."""
    if what == "play":
        run.play()
    elif what == "pause":
        run.pause()
    elif what == "reset":
        run.reset()
    elif what == "step" and isinstance(value, int) and is_count(value) and value <= _MOST_STEPS:
        run.step(value)
    elif what == "pace":
        run.pace(value if isinstance(value, int | float) and 0 < value < math.inf else None)


def obey_all(
    run: LiveRun,
    sent: object,
    heard: float,
    one: Callable[[LiveRun, object, object], None] = obey,
    is_shown: Callable[[LiveRun], bool] = lambda run: True,
) -> float:
    """Obey the commands that are new, in their order.

    Args:
        run: Who is to obey; commands for another run are passed over.
        sent: What the browser sent: ``{"run": id, "list": [[number, what, value], ...]}``. The
            sender may be anyone: what is malformed is passed over.
        heard: Number of the last command obeyed so far.
        one: Obeys one command.
        is_shown: Whether the run is still the page's; else what follows is not for it.

    Returns:
        Number of the last command obeyed now.
    """
    if not isinstance(sent, Mapping) or sent.get("run") != run.run_id:
        return heard
    listed = sent.get("list")
    for command in listed if isinstance(listed, list) else ():
        if not isinstance(command, list) or len(command) != 3:
            continue
        number, what, value = command
        if isinstance(number, int | float) and number > heard and is_shown(run):
            heard = number
            one(run, what, value)
    return heard
