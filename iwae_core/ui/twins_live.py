"""A pair of runs on its way to the browser: opened, kept in step with the controls, sent."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.runtime import watched
from iwae_core.runtime.kept_limits import Limits
from iwae_core.runtime.queue import Lane
from iwae_core.runtime.twin_slices import shape
from iwae_core.runtime.twins import TwinRun
from iwae_core.runtime.wire import pack
from iwae_core.training import TrainConfig
from iwae_core.ui import component
from iwae_core.ui.desk import Desk

NAME = "iwae_lab_twins"


def watch(
    first: TrainConfig,
    second: TrainConfig,
    desk: Desk[TwinRun],
    open_pair: Callable[[TrainConfig, TrainConfig], TwinRun],
) -> TwinRun | None:
    """The session's pair, brought to these settings.

    Live fields change the pair while it goes on; any other field begins another pair.

    Returns:
        The pair, or None after saying on the page why there can be none.
    """
    pair = desk.bring(
        lambda live: shape(live.configs[0]) == shape(first), lambda: open_pair(first, second)
    )
    if pair is not None and pair.configs != (first, second):
        pair.change(first, second)
    return pair


def transport(pair: TwinRun, desk: Desk[TwinRun]) -> None:
    """Play or pause, step, and reset, of both.

    Args:
        pair: What is driven.
        desk: Where it is shown. A control may put another in its place before the reader sees it:
            what is pressed then is meant for that one.
    """

    def press(act: Callable[[TwinRun], None]) -> None:
        live = desk.live()
        if live is not None:
            act(live)

    def button(label: str, act: Callable[[TwinRun], None], icon: str, **more: Any) -> None:
        st.button(label, on_click=press, args=(act,), icon=f":material/{icon}:", **more)

    with st.container(horizontal=True, vertical_alignment="center"):
        if pair.status().mode == "playing":
            button("Pause", TwinRun.pause, "pause", type="primary")
        else:
            button(
                "Play",
                desk.play,
                "play_arrow",
                type="primary",
                help=f"Both go on until paused. {Limits().about_playing}",
            )
        button("Step", TwinRun.step, "skip_next", help="One update of both.")
        button(
            "Start over",
            TwinRun.reset,
            "restart_alt",
            help="Back to step 0 with the same seed: the same pair again.",
        )


def picture(pair: TwinRun, *, asks: bool) -> None:
    """The live picture; its frames come by the route, not by reruns.

    A pair that plays or stands otherwise than the buttons say asks for a rerun.

    Args:
        pair: What is shown.
        asks: Whether a prediction is open; until it is made, or the reader plays or steps the
            pair, the curves that would give it away are covered.
    """
    data = {
        "run_id": pair.run_id,
        "titles": [title(config) for config in pair.configs],
        "mode": pair.status().mode,
        "asks": asks,
    }
    component.of_module(NAME, "twins.js")(
        key="twins.picture",
        data=data,
        on_moved_change=lambda: None,
    )


def title(config: TrainConfig) -> str:
    """A setting in a few words.

    >>> title(TrainConfig(n_samples=50))
    'IWAE, K = 50'
    """
    beta = "" if config.beta == 1 else f", beta = {config.beta:g}"
    return f"{OBJECTIVES[config.objective].title}, K = {config.n_samples}{beta}"


def frames(request: Request) -> Response:
    """Answer ``GET /twins-live/{run_id}?since=STEP&generation=G`` with what came after that step.

    A pair's id cannot be guessed and is the only key to it; 404 when the pair is gone.
    """
    pair = watched.PAIRS.find(request.path_params["run_id"])
    if pair is None:
        return Response("this pair is gone", status_code=404)
    try:
        since = int(request.query_params.get("since", "-1"))
        generation = int(request.query_params.get("generation", "0"))
    except ValueError:
        return Response("since and generation must be whole numbers", status_code=400)
    return Response(
        message(pair, since, generation),
        media_type="application/octet-stream",
        headers={"Cache-Control": "no-store"},
    )


def message(pair: TwinRun, since: int, generation: int) -> bytes:
    """What a browser that has seen step ``since`` of a generation does not know yet."""
    news = pair.n_news
    status, seen = pair.look()
    if status.generation != generation:
        since = -1
    meta: dict[str, Any] = {
        "mode": status.mode,
        "step": status.step,
        "steps_per_second": round(status.steps_per_second, 1),
        "n_samples": list(status.n_samples),
        "cause": status.cause,
        "generation": status.generation,
        "replaying_to": status.replaying_to,
        "opening_to": status.opening_to,
        "asked_for": status.is_asked_for,
        "news": news,
        "queue": pair.executor.standing().sentence if isinstance(pair.executor, Lane) else "",
    }
    arrays: dict[str, NDArray[Any]] = {
        "held_out": seen.held_out[seen.held_out[:, 0] > since],
        "trained_a": seen.trained[0][seen.trained[0][:, 0] > since],
        "trained_b": seen.trained[1][seen.trained[1][:, 0] > since],
    }
    if seen.probe is not None and since < 0:
        meta["class_names"] = list(seen.probe.class_names)
        arrays["labels"] = seen.probe.labels
    if seen.looks and seen.looks[0].step > since:
        meta["look_step"] = seen.looks[0].step
        for name, one in zip("ab", seen.looks, strict=True):
            meta[f"axes_{name}"] = list(one.axes)
            meta[f"active_{name}"] = [one.n_active, one.n_latents]
            arrays[f"latents_{name}"] = one.latents
    return pack(meta, {name: values.astype(np.float32) for name, values in arrays.items()})
