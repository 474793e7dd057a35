"""When weights fail, part two: one lucky particle."""

import re
from dataclasses import dataclass
from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import choices, lucky
from iwae_core.evaluation.studies.lucky import FIRST, MAX_SAMPLES, LuckyConfig, LuckyReport
from iwae_core.evaluation.studies.transport import noise
from iwae_core.ui import canvas, code, controls, formulas, parts, predict, scenes
from iwae_core.ui.failing_tails import FLAGS, VERDICTS
from iwae_core.ui.fields import Field, FloatField, IntField, SeedField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, percent, with_error

MOST_LEFT_OUT = 40
_DRAWS = re.compile(rf"(\d{{1,10}}(\.\d{{1,4}}){{1,{MOST_LEFT_OUT}}})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawsField:
    """Draws of one run, written ``<seed>.<draw>.<draw>`` and counted from one.

    The seed belongs to them: under other noise the same numbers name other draws.
    """

    name: str
    default: str = ""

    def parse(self, text: str) -> str:
        """Read a list of draws; an empty one names none."""
        if not _DRAWS.fullmatch(text):
            raise ValueError("is no list of draws")
        return text

    def write(self, value: str) -> str:
        """Write the list itself."""
        return value


START = LuckyConfig(seed=418)
ANSWERS = {
    "alarm": "raise the alarm",
    "right": "calm down, and it is right",
    "wrong": "calm down, and it is wrong",
}

SCALE = FloatField(name="q", default=START.scale, low=0.8, high=4.0)
N_SAMPLES = IntField(name="draws", default=START.n_samples, low=100, high=MAX_SAMPLES)
SEED = SeedField(name="run", default=START.seed)
PICK = DrawsField(name="pick")
OUT = DrawsField(name="out")
ANSWER = predict.answer_field(*ANSWERS, name="without")

FIELDS: tuple[Field[Any], ...] = (SCALE, N_SAMPLES, SEED, PICK, OUT, ANSWER)
# What a scene sets, by the names of LuckyConfig.
SETTINGS: dict[str, Field[Any]] = {"scale": SCALE, "seed": SEED, "n_samples": N_SAMPLES}
SCENES = scenes.whole(lucky.SCENES, START, SETTINGS)


@st.cache_resource(max_entries=64, show_spinner=False)
def study(config: LuckyConfig) -> LuckyReport:
    """The run, and the same without the draws left out."""
    return lucky.run(config)


def controls_of(link: Link) -> None:
    """The scene and the number of draws; the width in numbers below."""
    scenes.choose(link, SETTINGS, SCENES)
    controls.log_slider(link, N_SAMPLES, "K", unit="draws")
    if more := controls.more(link):
        with more:
            controls.number(link, SCALE, "Proposal: width", step=0.05)


def config(link: Link) -> LuckyConfig:
    """The study that the controls ask for; draws of another run are not left out of this one."""
    seed, K = link.value(SEED), link.value(N_SAMPLES)
    run, *draws = [int(number) for number in link.value(OUT).split(".") if number] or [-1]
    left_out = tuple(dict.fromkeys(n - 1 for n in draws if run == seed and 1 <= n <= K))
    return LuckyConfig(scale=link.value(SCALE), n_samples=K, seed=seed, left_out=left_out)


def picture(link: Link) -> None:
    """Place the scene."""
    c = config(link)
    report = study(c)
    f = choices.INTEGRANDS[c.integrand]
    rest = report.rest
    canvas.show(
        "lucky",
        link,
        SCALE,
        PICK,
        OUT,
        alt=f"Above, a target with a bump where q hardly goes, and {c.n_samples} draws sized by "
        f"weight; below, the running estimate with its jumps. From {rest.n} draws it ends at "
        f"{digits(rest.estimate)}; the exact value is {digits(report.exact)}.",
        meta={
            "target": formulas.density(choices.find_target(c.target).made),
            "f": formulas.integrand(f.made),
            "f_title": f.title,
            "seed": c.seed,
            "first": FIRST,
            "exact": report.exact,
            "common": formulas.finite(report.common),
            "regions": [[formulas.finite(end) for end in region] for region in report.regions],
            "chance": percent(report.chance_in_run),
            "limits": {"scale": [SCALE.low, SCALE.high]},
            "flags": FLAGS,
            "verdicts": VERDICTS,
        },
        arrays={"eps": noise(c.family, c.n_samples, c.seed, c.df).x[-1]},
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question; offer to leave that draw out once it is answered."""
    if not parts.predicted(link, text, "lucky", ANSWER, ANSWERS):
        return False

    def leave_out() -> None:
        draw = f"{START.seed}.{_heaviest() + 1}"
        link.set(PICK, draw)
        link.set(OUT, draw)

    scenes.offer(link, SETTINGS, SCENES["late"], "Leave it out for me", then=leave_out)
    return True


def _heaviest() -> int:
    return int(study(START).largest[0])


def explain(link: Link, text: Text) -> None:
    """Say why, with the numbers of that very run."""
    heaviest = _heaviest()
    seen = study(LuckyConfig(seed=START.seed, left_out=(heaviest,)))
    text.show(
        "lucky_why",
        before=with_error(seen.full.estimate, seen.full.std_error),
        after=with_error(seen.rest.estimate, seen.rest.std_error),
        exact=digits(seen.exact),
        ess_before=digits(seen.full.ess),
        ess_after=digits(seen.rest.ess),
        k_before=digits(seen.full.k_hat, 2),
        k_after=digits(seen.rest.k_hat, 2),
        errors_away=digits(abs(seen.rest.estimate - seen.exact) / seen.rest.std_error, 2),
        common=digits(seen.common, 2),
        chance_per_draw=digits(1 / seen.chance_per_draw, 2),
        chance_in_run=percent(seen.chance_in_run),
    )


def script_of(link: Link) -> str:
    """The scene's numbers as a script."""
    c = config(link)
    return code.fill(
        code.template("when_weights_fail_lucky"),
        SCALE=c.scale,
        K=c.n_samples,
        SEED=c.seed,
        LEFT_OUT=tuple(k + 1 for k in c.left_out),
    )
