"""The route by which a run's frames reach the browser, without a rerun of any script."""

from starlette.requests import Request
from starlette.responses import Response

from iwae_core.runtime import watched
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.wire import pack


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
    status = run.poll()
    if status.generation != generation:
        since = -1
    history = run.history
    steps, held_out, frame = history.steps.rows, history.held_out.rows, history.frame
    arrays = {
        "steps": steps[steps[:, 0] > since],
        "held_out": held_out[held_out[:, 0] > since],
    }
    meta = {
        "mode": status.mode,
        "step": status.step,
        "steps_per_second": round(status.steps_per_second, 1),
        "n_samples": status.n_samples,
        "cause": status.cause,
        "generation": status.generation,
    }
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
    return pack(meta, arrays)
