"""When weights fail, part four: the dimension lift, and where plain products end."""

import math
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from iwae_core.evaluation.studies import lift
from iwae_core.evaluation.studies.lift import BITS, MAX_DIMS, LiftConfig, LiftReport
from iwae_core.ui import canvas, code, controls, parts, predict, scenes
from iwae_core.ui.failing_tails import SEED
from iwae_core.ui.fields import ChoiceField, Field, FloatField, IntField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits

START = LiftConfig()
ASKED = 100  # dimensions of the prediction
ANSWERS = {"most": "About 930", "tenth": "About 100", "few": "A handful"}

D = IntField(name="d", default=30, low=1, high=MAX_DIMS)
WAY = ChoiceField(name="way", default="log_sum_exp", choices=("log_sum_exp", *BITS))
SHIFT = FloatField(name="shift", default=START.shift, low=-3.0, high=3.0)
RATIO = FloatField(name="ratio", default=START.ratio, low=0.5, high=3.0)
ANSWER = predict.answer_field(*ANSWERS, name="counted")

FIELDS: tuple[Field[Any], ...] = (D, WAY, SHIFT, RATIO, SEED, ANSWER)
# What a scene sets, by the names of LiftConfig.
SETTINGS: dict[str, Field[Any]] = {"shift": SHIFT, "ratio": RATIO}
SCENES = scenes.whole(lift.SCENES, START, SETTINGS)


@st.cache_resource(max_entries=32, show_spinner=False)
def study(config: LiftConfig) -> LiftReport:
    """All dimensions at once."""
    return lift.run(config)


def controls_of(link: Link) -> None:
    """The scene and the mismatch of one coordinate; d in numbers below."""
    scenes.choose(link, SETTINGS, SCENES, tells=link.value(ANSWER) != predict.OPEN)
    controls.slider(link, SHIFT, "Shift of q", unit="in each coordinate", step=0.05)
    controls.slider(link, RATIO, "Width of q", unit="in each coordinate", step=0.05)
    if more := controls.more(link):
        with more:
            controls.number(link, D, "Dimensions")


def config(link: Link) -> LiftConfig:
    """The study that the controls ask for."""
    return LiftConfig(shift=link.value(SHIFT), ratio=link.value(RATIO), seed=link.value(SEED))


def picture(link: Link) -> None:
    """Place the scene."""
    c = config(link)
    report = study(c)
    d = link.value(D)
    arrays: dict[str, NDArray[Any]] = {
        "ess": report.ess_each,
        "top": report.top_each.astype(np.float32),
        "log_predicted": -np.arange(1.0, MAX_DIMS + 1) * report.log_moment,
        "log_mean": report.log_mean,
        "stops": report.d,
        "repeats": report.ess,
    }
    for name, plain in report.plain.items():
        arrays |= {
            f"{name}_log_mean": plain.log_mean,
            f"{name}_ess": plain.ess,
            f"{name}_zeros": plain.zeros,
        }
    canvas.show(
        "lift",
        link,
        D,
        WAY,
        alt=f"Effective share of {c.n_samples} draws against the number of dimensions on a log "
        f"scale: at d = {d} the effective sample size is {digits(report.ess_each[d - 1])}.",
        meta={
            "K": c.n_samples,
            "most": MAX_DIMS,
            "shift": c.shift,
            "ratio": c.ratio,
            "log_moment_text": digits(report.log_moment),
            "ends_text": _ends(report.ends_at),
            "lost_text": {name: _lost(plain.all_zero) for name, plain in report.plain.items()},
        },
        arrays=arrays,
    )


def _ends(at: float) -> str:
    if math.isinf(at):
        return "a perfect q: nothing is lost"
    return f"predicted ESS is 1 at d = {digits(at)}" if at >= 1 else "predicted ESS below 1"


def _lost(at: float) -> str:
    return f"all of them from d = {at:.0f}" if math.isfinite(at) else f"never all up to {MAX_DIMS}"


def ask(link: Link, text: Text) -> bool:
    """Put the question; offer its dimension, and more, once it is answered."""
    if not parts.predicted(link, text, "lift", ANSWER, ANSWERS):
        return False

    def lift_it() -> None:
        link.set(D, ASKED)

    def underflow() -> None:
        link.set(D, ASKED)
        link.set(WAY, "float32")

    with st.container(horizontal=True):
        wide, far = SCENES["a_little_wide"], SCENES["underflow"]
        scenes.offer(link, SETTINGS, wide, f"Show me d = {ASKED}", then=lift_it)
        scenes.offer(link, SETTINGS, far, "Show me the underflow", then=underflow)
    return True


def explain(link: Link, text: Text) -> None:
    """Say why, with the numbers of this seed."""
    seen = study(LiftConfig(seed=link.value(SEED)))
    off = dict(lift.SCENES["underflow"].settings)
    far = study(
        LiftConfig(shift=float(off["shift"]), ratio=float(off["ratio"]), seed=link.value(SEED))
    )
    text.show(
        "lift_why",
        measured=digits(seen.ess_each[ASKED - 1]),
        predicted=digits(START.n_samples * math.exp(-ASKED * seen.log_moment)),
        log_moment=digits(seen.log_moment),
        heaviest=digits(100 * seen.top_each[ASKED - 1, 0], 2),
        lost_32=f"{far.plain['float32'].first_lost:.0f}",
        lost_64=f"{far.plain['float64'].first_lost:.0f}",
        log_mean=digits(far.log_mean[-1]),
    )


def script_of(link: Link) -> str:
    """The scene's numbers as a script."""
    c = config(link)
    return code.fill(
        code.template("when_weights_fail_lift"),
        SHIFT=c.shift,
        RATIO=c.ratio,
        D=link.value(D),
        SEED=c.seed,
    )
