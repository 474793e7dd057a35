"""Questions that wait for their answer: a browser need not ask ten times a second what is new."""

import asyncio
import time

from starlette.requests import Request

LONGEST_SECONDS = 1.0  # then there is an answer without news, as the queue may have moved
_LOOK_SECONDS = 0.03  # between two looks whether there is news; a pause is to be seen at once
_REST_SECONDS = 0.3  # between two polls of what stands still: a class at rest costs little


async def for_news(request: Request, kind: str) -> None:
    """Return when what a page watches has news beyond ``news=N`` of its question.

    Meanwhile it counts as watched. A question that says no number waits for nothing.

    Args:
        request: Its path names the ``run_id``.
        kind: Where the id is known: "RUNS" or "PAIRS" of :mod:`iwae_core.runtime.watched`.
    """
    from iwae_core.runtime import watched  # with torch: too long for a start

    known = request.query_params.get("news")
    one = getattr(watched, kind).find(request.path_params["run_id"])
    began = polled_at = time.monotonic()
    moves = True
    while one is not None and str(one.n_news) == known:
        await asyncio.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        if moves or now - polled_at >= _REST_SECONDS:
            moves, polled_at = one.poll().mode == "playing", now
        if now - began >= LONGEST_SECONDS:
            return
