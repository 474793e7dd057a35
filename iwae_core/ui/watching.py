"""What a page of live training shows: brought to its controls, named in its address, opened."""

from collections.abc import Callable
from typing import Any, TypeVar

from iwae_core.runtime.lock_step import LockStep
from iwae_core.ui import first_steps
from iwae_core.ui.desk import Desk
from iwae_core.ui.url import Link

L = TypeVar("L", bound=LockStep[Any, Any])


def watch(
    desk: Desk[L], link: Link, bring: Callable[[], L | None], record_id: Callable[[L], str]
) -> L | None:
    """The session's run or pair, brought to the controls; the address follows it.

    Args:
        desk: Where it is shown. What is somebody else's, or what the controls cannot show, stays.
        link: The page's address, with the desk's field among its fields.
        bring: Brings what there is to the controls, or begins another; None where it cannot.
        record_id: The id of its row, empty while it has none.

    Returns:
        What is shown, or None after ``bring`` has said on the page why there can be nothing.
    """
    state, live = desk.session(), desk.live()
    if live is not None and (not state.is_mine or state.without_controls):
        return live
    state.is_mine, state.without_controls = True, ""
    live = bring()
    state.shown = "" if live is None else record_id(live)
    desk.name(link, state.shown)
    if live is not None:
        first_steps.take(link, live, desk)
    return live
