"""The route by which a run's pictures reach the browser, without a rerun of any script."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from iwae_core.runtime import kept, watched
from iwae_core.runtime.history import Moment, Pictures
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.queue import Lane
from iwae_core.runtime.status import Status
from iwae_core.runtime.wire import pack
from iwae_core.training.frame import N_PICTURES
from iwae_core.training.glance import Glance, Probe

Arrays = dict[str, NDArray[Any]]


def frames(request: Request) -> Response:
    """Answer ``GET /live/{run_id}`` with news of a run, or with an earlier moment of it.

    News is what the browser lacks in ``generation=G``. It says how far it knows the records of the
    steps, ``steps=STEP``, and the looks at them, which may come later: glances ``seen=STEP``,
    bounds and images ``held=STEP``, bounds with 512 samples ``deep=STEP``. An earlier moment is
    asked for by ``at=STEP``. Who says ``news=N``, as the last answer did, has had to wait for more
    (:mod:`iwae_core.ui.waiting`).

    A run's id cannot be guessed and is the only key to it. Where there is no such run, the answer
    is 204, without content: a run that other settings have replaced is no fault of the page's.
    """
    run = watched.find(request.path_params["run_id"])
    if run is None:
        return Response(status_code=204)
    asked = dict.fromkeys(("steps", "seen", "held", "deep", "generation", "at"), -1)
    try:
        for name in asked:
            asked[name] = int(request.query_params.get(name, asked[name]))
    except ValueError:
        return Response(f"{', '.join(asked)} must be whole numbers", status_code=400)
    if "at" in request.query_params:
        body = moment_message(*_moment(run, asked["at"]))
    else:
        known = Known(*(asked[name] for name in ("steps", "seen", "held", "deep")))
        body = message(run, asked["generation"], known)
    return Response(
        body, media_type="application/octet-stream", headers={"Cache-Control": "no-store"}
    )


def _moment(run: LiveRun, step: int) -> tuple[Status, Moment | None]:
    """An earlier moment: from the run's film, or replayed where that begins later."""
    status, moment = run.moment(step)
    if moment is not None and max(moment.glance.step, moment.pictures_step) <= step:
        return status, moment
    try:
        return status, kept.shared().look_back(run, step) or moment
    except (kept.NoStoreError, SQLAlchemyError):
        return status, moment


class Known(NamedTuple):
    """How far a browser knows a run: the last step of each kind, -1 for nothing."""

    steps: int = -1
    seen: int = -1
    held: int = -1
    deep: int = -1


def message(run: LiveRun, generation: int, known: Known) -> bytes:
    """What a browser that knows so much of a generation does not know yet."""
    news = run.n_news  # counted first: what comes meanwhile is told twice rather than not at all
    if run.status().generation != generation:
        known = Known()
    status, seen = run.look(known.seen)
    if status.generation != generation and known.seen >= 0:  # a reset came in between
        known = Known()
        status, seen = run.look(known.seen)
    glances = seen.glances if known.seen >= 0 else seen.glances[-1:]
    meta = _standing(status) | {"queue": _queue(run), "news": news}
    arrays: Arrays = {
        "steps": _after(seen.steps, known.steps),
        "held_out": _after(seen.held_out, known.held),
        "deep": _after(seen.deep, known.deep),
    }
    if seen.probe is not None and known.seen < 0:
        meta |= _about(seen.probe)
        arrays |= _fixed(seen.probe)
    if glances:
        arrays |= _stacked(glances)
    if seen.pictures is not None and seen.pictures[0] > known.held:
        meta["pictures_step"] = seen.pictures[0]
        arrays |= _images(seen.pictures[1])
    return pack(meta, arrays)


def moment_message(status: Status, moment: Moment | None) -> bytes:
    """An earlier moment of a run; no arrays where nothing of it is kept."""
    if moment is None:
        return pack(_standing(status), {})
    meta = _standing(status) | {"pictures_step": moment.pictures_step}
    return pack(meta, _stacked([moment.glance]) | _images(moment.pictures))


def _standing(status: Status) -> dict[str, Any]:
    return {
        "mode": status.mode,
        "step": status.step,
        "steps_per_second": round(status.steps_per_second, 1),
        "n_samples": status.n_samples[0],
        "cause": status.cause,
        "generation": status.generation,
        "pace": status.pace,
        "replaying_to": status.replaying_to,
        "opening_to": status.opening_to,
        "asked_for": status.is_asked_for,
    }


def _queue(run: LiveRun) -> str:
    """What to tell a reader whose run has to wait for others."""
    return run.executor.standing().sentence if isinstance(run.executor, Lane) else ""


def _about(probe: Probe) -> dict[str, Any]:
    return {"class_names": list(probe.class_names), "image_shape": probe.image_shape}


def _fixed(probe: Probe) -> Arrays:
    # Points in the plane, or the first two columns of a table.
    pictured = probe.x[:, :2] if probe.image_shape is None else probe.x[:N_PICTURES]
    return {"labels": probe.labels, "originals": pictured}


def _after(rows: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    return rows[rows[:, 0] > step]


def _stacked(glances: Sequence[Glance]) -> Arrays:
    """One array a quantity, its first axis the glances."""
    return {
        "glance_steps": np.array([glance.step for glance in glances], dtype=np.float64),
        "axes": np.array([glance.axes for glance in glances]),
        "means": np.stack([glance.means for glance in glances]),
        "scales": np.stack([glance.scales for glance in glances]),
        "kl_per_dim": np.stack([glance.kl_per_dim for glance in glances]),
        "active": np.stack([glance.active for glance in glances]),
        "log_w": np.stack([glance.log_w for glance in glances]),
    }


def _images(pictures: Pictures) -> Arrays:
    arrays = {"reconstructions": pictures.reconstructions, "samples": pictures.samples}
    if pictures.manifold is not None:
        arrays["manifold"] = pictures.manifold
    return arrays
