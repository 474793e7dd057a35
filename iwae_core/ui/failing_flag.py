"""When weights fail, part three: how many samples, and a flag planted before the answer."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iwae_core.evaluation.studies import choices, how_many
from iwae_core.evaluation.studies.how_many import (
    CLOSE,
    ENOUGH,
    N_GHOSTS,
    HowManyConfig,
    HowManyReport,
)
from iwae_core.ui import canvas, code, controls, formulas, jobs, scenes
from iwae_core.ui.failing_tails import SEED
from iwae_core.ui.fields import ChoiceField, Field, FloatField, IntField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, fixed, percent

_PATIENCE = 3.0  # s for which the old picture stands while the estimators are at work
START = HowManyConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyField:
    """The question whose answer is shown, as :func:`key` writes it; another one stays hidden."""

    name: str
    default: str = ""

    def parse(self, text: str) -> str:
        """Read a key; one of no question shows nothing."""
        if not re.fullmatch(r"[a-z0-9_.-]{0,48}", text):
            raise ValueError("names no question")
        return text

    def write(self, value: str) -> str:
        """Write the key itself."""
        return value


TARGETS = ("standard_normal", "far_bump")
LOC = FloatField(name="mean", default=START.loc, low=-5.0, high=5.0)
SCALE = FloatField(name="width", default=START.scale, low=0.6, high=5.0)
TARGET = ChoiceField(name="p", default=START.target, choices=TARGETS)
FLAG = IntField(name="flag", default=100, low=1, high=1_000_000)
SHOWN = KeyField(name="shown")

FIELDS: tuple[Field[Any], ...] = (LOC, SCALE, TARGET, FLAG, SHOWN, SEED)
# What a scene sets, by the names of HowManyConfig.
SETTINGS: dict[str, Field[Any]] = {"loc": LOC, "scale": SCALE, "target": TARGET}
SCENES = scenes.whole(how_many.SCENES, START, SETTINGS)


def study(config: HowManyConfig) -> jobs.Study:
    """The estimators, for a worker process: a third of a second, more on a busy machine."""
    return jobs.Study(
        kind="how_many",
        work=how_many.run,
        args=(config,),
        label=f"{N_GHOSTS} estimators take {config.n_max} draws each",
        seconds=0.4,
    )


def key(config: HowManyConfig) -> str:
    """The name of a question; the noise is no part of it."""
    return f"{config.target}_{config.loc:g}_{config.scale:g}"


def config(link: Link) -> HowManyConfig:
    """The study that the controls ask for."""
    return HowManyConfig(
        target=link.value(TARGET),
        loc=link.value(LOC),
        scale=link.value(SCALE),
        seed=link.value(SEED),
    )


def revealed(link: Link) -> bool:
    """Whether the reader has asked for the answer to this very question."""
    return link.value(SHOWN) == key(config(link))


def controls_of(link: Link) -> None:
    """The scene; what it teaches is told once the flag is planted."""
    scenes.choose(link, SETTINGS, SCENES, tells=revealed(link))
    if more := controls.more(link):
        with more:
            names = {name: choices.TARGETS[name].title for name in TARGETS}
            controls.choice(link, TARGET, "Target", names=names)
            controls.number(link, LOC, "Proposal: mean", step=0.1)
            controls.number(link, SCALE, "Proposal: width", step=0.1)
            controls.number(link, FLAG, "Your flag", unit="draws")


def picture(link: Link) -> None:
    """Place the scene; before the flag is planted the message holds no answer."""
    c = config(link)
    report: HowManyReport | None = None
    if revealed(link):
        report = jobs.result(study(c), patience=_PATIENCE)
    arrays: dict[str, NDArray[Any]] = {}
    alt = "Target p and proposal q, and an empty axis of numbers of draws with your flag on it."
    if report:
        arrays = {
            "n": report.n,
            "ratio": (report.running / report.exact).astype(np.float32),
            "within": report.within,
        }
        alt = (
            f"{N_GHOSTS} estimators against the number of draws; the rule says "
            f"{digits(report.needed)} draws, the estimators take {_measured(c, report)}."
        )
    canvas.show(
        "flag",
        link,
        LOC,
        SCALE,
        FLAG,
        SHOWN,
        alt=alt,
        meta={
            "target": formulas.density(choices.find_target(c.target).made),
            "target_title": choices.find_target(c.target).title,
            "limits": {"loc": [LOC.low, LOC.high], "scale": [SCALE.low, SCALE.high]},
            "key": key(c),
            "close": CLOSE,
            "enough": ENOUGH,
            "n_ghosts": N_GHOSTS,
            "report": _told(c, report, link.value(FLAG)) if report else None,
        },
        arrays=arrays,
    )


def _told(c: HowManyConfig, report: HowManyReport, flag: int) -> dict[str, Any]:
    """The answer and the score of a flag, in words and numbers."""
    score = how_many.score(flag, report)
    at_least = math.log10(flag / c.n_max)  # the answer lies beyond the draws that were taken
    never = math.isinf(report.measured)
    return {
        "kl_text": digits(report.kl),
        "needed": report.needed,
        "needed_text": digits(report.needed),
        "low": max(report.needed_low, 1e-9),
        "low_text": digits(report.needed_low, 2),
        "high": report.needed_high,
        "high_text": digits(report.needed_high, 2),
        "band_help": f"log w fluctuates by {digits(report.spread)} nats under p: the rule's band "
        f"is exp(KL ± {digits(report.spread)}).",
        "measured": formulas.finite(report.measured),
        "measured_text": _measured(c, report),
        "moment_text": digits(report.second_moment),
        "variance_text": digits(report.needed_variance),
        "variance_help": f"Draws until {percent(ENOUGH)} would lie within a tenth if the "
        "estimates were normally distributed with their exact variance.",
        "score": {
            "measured": f"< {fixed(at_least, 1)}" if never else fixed(score.from_measured, 1),
            "rule": fixed(score.from_rule, 1),
            "within": percent(score.within_at_flag),
        },
    }


def _measured(c: HowManyConfig, report: HowManyReport) -> str:
    return f"over {c.n_max:,}" if math.isinf(report.measured) else digits(report.measured)


def ask(link: Link, text: Text) -> bool:
    """Say what the flag is about."""
    text.show("how_many_question", n_ghosts=N_GHOSTS)
    return revealed(link)


def explain(link: Link, text: Text) -> None:
    """Say how the answers come about."""
    c = config(link)
    report: HowManyReport | None = jobs.ready(study(c))
    if not report:  # still on its way, as is said beside the picture
        return
    text.show(
        "how_many_why",
        kl=digits(report.kl),
        spread=digits(report.spread),
        needed=digits(report.needed),
        low=digits(report.needed_low, 2),
        high=digits(report.needed_high, 2),
        measured=_measured(c, report),
        variance=digits(report.needed_variance),
        last=percent(report.within[-1]),
        n_max=f"{c.n_max:,}",
    )


def script_of(link: Link) -> str:
    """The scene's numbers as a script."""
    c = config(link)
    return code.fill(
        code.template("when_weights_fail_how_many"),
        TARGET=c.target,
        LOC=c.loc,
        SCALE=c.scale,
        FLAG=link.value(FLAG),
        SEED=c.seed,
    )
