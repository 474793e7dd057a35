"""Part *three_ways* of the bound's lesson: at K = 1, three estimates of one ELBO."""

import numpy as np
import streamlit as st

from iwae_core.evaluation.studies import elbo_ways as study
from iwae_core.evaluation.studies.elbo_ways import MAX_DRAWS, ElboWaysConfig, ElboWaysReport
from iwae_core.ui import bound, canvas, code, controls, parts, predict, scenes
from iwae_core.ui.fields import IntField
from iwae_core.ui.lesson import Text
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, fixed

SCENES = study.SCENES
SETTINGS = bound.Q_SETTINGS
N_DRAWS = IntField(name="draws", default=256, low=2, high=MAX_DRAWS)
ANSWERS = {"closed": "Closed-form KL", "monte_carlo": "Monte-Carlo KL", "log_w": "Mean of log w"}
ANSWER = predict.answer_field(*ANSWERS, name="answer_ways")
FIELDS = (*bound.Q_SETTINGS.values(), N_DRAWS, ANSWER)
SEED = bound.SEED


@st.cache_resource(max_entries=128, show_spinner=False)
def _run(config: ElboWaysConfig) -> ElboWaysReport:
    return study.run(config)


def controls_of(link: Link) -> None:
    """The number of draws, and how far q is off."""
    scenes.choose(link, SETTINGS, SCENES)
    controls.log_slider(link, N_DRAWS, "Draws", help="That each way averages; K stays 1.")
    controls.slider(
        link, bound.SHIFT, "Shift of q", unit="posterior standard deviations", step=0.05
    )


def config(link: Link) -> ElboWaysConfig:
    """The study with all its draws, of which the page averages the first ones."""
    return ElboWaysConfig(n_draws=MAX_DRAWS, **bound.q(link))


def picture(link: Link) -> None:
    """Place the scene: three histograms, and three means on their way to the ELBO."""
    report, n = _run(config(link)), link.value(N_DRAWS)
    means = [fixed(way.draws[:n].mean(), 3) for way in report.ways]
    everything = np.concatenate([way.draws for way in report.ways])
    low, high = np.quantile(everything, [0.005, 0.995])
    bins = np.array(
        [min(low, report.elbo) - 0.1, max(high, report.log_marginal) + 0.1], dtype=np.float64
    )
    canvas.show(
        "ways",
        link,
        N_DRAWS,
        alt=f"Three estimates of the ELBO {fixed(report.elbo, 3)} from {n} draws: closed-form KL "
        f"{means[0]}, Monte-Carlo KL {means[1]}, mean of log w {means[2]}; one draw spreads by "
        f"{', '.join(digits(way.spread) for way in report.ways)} nats.",
        meta={
            "elbo": report.elbo,
            "log_marginal": report.log_marginal,
            "kl": report.kl_to_prior,
            "gradient": report.gradient_spread,
            "path_gradient": report.path_gradient_spread,
            "ways": [{"title": way.title, "spread": way.spread} for way in report.ways],
            "stops": controls.log_steps(N_DRAWS),
        },
        arrays={"draws": np.stack([way.draws for way in report.ways]), "bins": bins},
    )


def ask(link: Link, text: Text) -> bool:
    """Put the question; offer the scene it is about once it is answered."""
    if not parts.predicted(link, text, "three_ways", ANSWER, ANSWERS):
        return False
    scenes.offer(link, SETTINGS, SCENES["exact"], "Show me the exact posterior as q")
    return True


def explain(link: Link, text: Text) -> None:
    """Say why."""
    text.show("three_ways_why")


def script(config: ElboWaysConfig, n_draws: int) -> str:
    """The part's numbers as a script."""
    return code.fill(
        code.template("bound_ways"),
        N_DRAWS=n_draws,
        SHIFT=config.shift,
        SCALE=config.scale,
        CORRELATED=config.correlated,
        SEED=config.seed,
    )


def script_of(link: Link) -> str:
    """The script with the values of the address."""
    return script(config(link), link.value(N_DRAWS))
