"""The route by which a run's frames reach the browser, without a rerun of any script."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from iwae_core.runtime import watched
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.wire import pack
from iwae_core.training.frame import N_PICTURES


def frames(request: Request) -> Response:
    """Answer ``GET /live/{run_id}?since=STEP&generation=G`` with what came after that step.

    A run's id cannot be guessed and is the only key to it; 404 when the run is gone.
    """
    run = watched.find(request.path_params["run_id"])
    if run is None:
        return Response("this run is gone", status_code=404)
    try:
        since = int(request.query_params.get("since", "-1"))
        generation = int(request.query_params.get("generation", "0"))
    except ValueError:
        return Response("since and generation must be whole numbers", status_code=400)
    return Response(
        message(run, since, generation),
        media_type="application/octet-stream",
        headers={"Cache-Control": "no-store"},
    )


def message(run: LiveRun, since: int, generation: int) -> bytes:
    """What a browser that has seen step ``since`` of a generation does not know yet."""
    status, seen = run.look()
    if status.generation != generation:
        since = -1
    probe, frame = seen.probe, seen.frame
    meta: dict[str, Any] = {
        "mode": status.mode,
        "step": status.step,
        "steps_per_second": round(status.steps_per_second, 1),
        "n_samples": status.n_samples,
        "cause": status.cause,
        "generation": status.generation,
    }
    arrays: dict[str, NDArray[Any]] = {
        "steps": seen.steps[seen.steps[:, 0] > since],
        "held_out": seen.held_out[seen.held_out[:, 0] > since],
    }
    if probe is not None and since < 0:
        meta |= {"class_names": list(probe.class_names), "image_shape": probe.image_shape}
        pictured = probe.x if probe.image_shape is None else probe.x[:N_PICTURES]
        arrays |= {"labels": probe.labels, "originals": pictured}
    if frame is not None and frame.step > since:
        meta |= {"frame_step": frame.step, "axes": list(frame.axes)}
        arrays |= {
            "kl_per_dim": frame.kl_per_dim,
            "active": frame.active,
            "latents": frame.latents,
            "log_w": frame.log_w,
            "reconstructions": frame.reconstructions,
            "samples": frame.samples,
        }
    return pack(meta, {name: values.astype(np.float32) for name, values in arrays.items()})
