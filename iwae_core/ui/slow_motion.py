"""Slow motion on the page *Train*: one held-out datapoint of the run, in five phases."""

import dataclasses
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from iwae_core.runtime.lineage import Lineage
from iwae_core.runtime.live import LiveRun
from iwae_core.training import RunState, TrainConfig
from iwae_core.training.glance import N_PROBE, probe
from iwae_core.training.slow_motion import Pulls, SlowMotionReport, n_datapoints, slow_motion
from iwae_core.ui import canvas, code, past
from iwae_core.ui.fields import FloatField, IntField
from iwae_core.ui.slow_captions import PHASES, captions
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits

POINT = IntField(name="slow_point", default=0, low=0, high=N_PROBE - 1)
NOISE = IntField(name="slow_noise", default=1, low=0, high=10**6)
PHASE = FloatField(name="slow_phase", default=1.0, low=1.0, high=float(len(PHASES)))
FIELDS = (POINT, NOISE, PHASE)
_HELD, _KEPT = "slow_motion.held", "slow_motion.kept"


def show(link: Link, run: LiveRun) -> None:
    """Place the box; nothing is computed before it is opened.

    Args:
        link: The page's, with FIELDS among its fields.
        run: Whose network, K and objective are looked at.
    """
    box = st.expander(
        "Slow motion: one datapoint, from its samples to the gradient",
        icon=":material/slow_motion_video:",
        key="slow_motion",
        on_change="rerun",
    )
    if not box.open:
        return
    with box:
        held = _held(run)
        if held is None:
            st.caption("The run is about to begin.")
            return
        state, lineage = held
        _buttons(link, state)
        _picture(link, state)
        point = link.value(POINT) % n_datapoints(state)
        code.show(lambda: script(lineage, state, point, link.value(NOISE)), "slow_motion")


def script(lineage: Lineage, state: RunState, point: int, noise: int) -> str:
    """What is on screen as a script: it trains the run again, and takes its datapoint apart.

    Args:
        lineage: The past of the state.
        state: The state that is looked at, under the settings in force, which may be newer.
        point: Of the datapoint in the probe.
        noise: Seed of the samples.
    """
    before = lineage.config_now()
    newer = {
        field.name: getattr(state.config, field.name)
        for field in dataclasses.fields(before)
        if getattr(before, field.name) != getattr(state.config, field.name)
    }
    if newer:
        lineage = lineage.changed(state.step, newer)
    return code.fill(
        code.template("slow_motion"),
        **past.constants(lineage, state.step),
        POINT=point,
        NOISE=noise,
    )


def _held(run: LiveRun) -> tuple[RunState, Lineage] | None:
    """The state that is looked at, under the settings in force, and its past.

    The run may go on meanwhile: the state stays until it is asked for anew, or the run is another.
    """
    where = (run.run_id, run.status().generation)
    held: tuple[Any, RunState, Lineage] | None = st.session_state.get(_HELD)
    if held is None or held[0] != where:
        now = run.snapshot()
        if now.state is None:
            return None
        st.session_state[_HELD] = held = (where, now.state, now.lineage)
    return dataclasses.replace(held[1], config=run.config), held[2]


def _buttons(link: Link, state: RunState) -> None:
    n = n_datapoints(state)

    def next_point() -> None:
        link.set(POINT, (link.value(POINT) + 1) % n)

    def new_noise() -> None:
        link.set(NOISE, (link.value(NOISE) + 1) % (NOISE.high + 1))

    def look_now() -> None:
        st.session_state.pop(_HELD, None)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Next datapoint", on_click=next_point, icon=":material/skip_next:", key="slow.1")
        st.button("New samples", on_click=new_noise, icon=":material/casino:", key="slow.2")
        st.button("The run as it is now", on_click=look_now, icon=":material/refresh:")
        st.caption(f"Network after {state.step} steps, datapoint {link.value(POINT) % n}")


def _report(state: RunState, point: int, noise: int) -> SlowMotionReport:
    """The report, kept while the same state is looked at."""
    key = (id(state.parameters), state.config, point, noise)
    kept: tuple[Any, RunState, SlowMotionReport] | None = st.session_state.get(_KEPT)
    if kept is None or kept[0] != key:
        # The state stays beside its report, so that no other can have its place in memory.
        kept = (key, state, slow_motion(state, point, noise))
        st.session_state[_KEPT] = kept
    return kept[2]


def _picture(link: Link, state: RunState) -> None:
    point = link.value(POINT) % n_datapoints(state)
    report, config = _report(state, point, link.value(NOISE)), state.config
    told = captions(config, report)
    image = probe(config.dataset, config.data_folder).image_shape
    arrays: dict[str, NDArray[Any]] = {
        name: getattr(report, name)
        for name in (
            "loc",
            "scale",
            "z",
            "log_likelihood",
            "log_joint",
            "log_q",
            "log_w",
            "weight",
            "share",
            "encoder_share",
            "all_log_w",
        )
    }
    arrays |= {"number": report.number.astype(np.float64)}
    arrays |= {"encoder_along": report.encoder.along, "decoder_along": report.decoder.along}
    if image is not None:
        arrays["image"] = report.x.reshape(image).astype(np.float32)
        if report.decoded is not None:
            arrays["decoded"] = report.decoded.astype(np.float32)
    canvas.show(
        "slow_motion",
        link,
        PHASE,
        alt="One datapoint in five phases: samples, their weights, the average, the logarithm, "
        f"and what each sample adds to the gradient. {told[int(link.value(PHASE)) - 1]}",
        meta={
            "phases": [
                {"name": name, "caption": caption}
                for name, caption in zip(PHASES, told, strict=True)
            ],
            "kind": kind(config, report),
            "n_samples": report.n_samples,
            "axes": [axis + 1 for axis in report.axes],
            "label": report.label,
            "image_shape": image,
            "elbo": report.elbo,
            "bound": report.bound,
            "objective": report.objective,
            "ess": report.ess,
            "encoder": _sums(report.encoder),
            "decoder": _sums(report.decoder),
        },
        arrays=arrays,
    )


def kind(config: TrainConfig, report: SlowMotionReport) -> str:
    """How the scene writes its formula: iwae, elbo, closed (form of the KL) or other."""
    if not report.weighted:
        return "closed"
    return config.objective if config.objective in ("iwae", "elbo") else "other"


def _sums(pulls: Pulls) -> dict[str, float | str]:
    return {
        "rest": pulls.rest_along,
        "kl": pulls.kl_along,
        "total": pulls.total,
        "text": digits(pulls.total),
    }
