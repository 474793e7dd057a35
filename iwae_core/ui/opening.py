"""The home page's picture: the gap to log p(x) closes while K is dragged."""

from iwae_core.evaluation.studies.tightness import TightnessConfig, TightnessReport
from iwae_core.ui import canvas, studies
from iwae_core.ui.fields import StopField
from iwae_core.ui.url import Link
from iwae_core.view.numbers import digits, fixed

LAST = 256  # K at the right end
N_SAMPLES = StopField(name="K", default=LAST, stops=tuple(2**power for power in range(9)))


def report() -> TightnessReport:
    """The study in the picture: the start of the lesson *From ELBO to IWAE*."""
    return studies.tightness(TightnessConfig())


def numbers(shown: TightnessReport) -> dict[str, str]:
    """Live numbers of the prose."""
    last = list(shown.n_samples).index(LAST)
    return {
        "elbo_gap": digits(shown.log_marginal - shown.elbo),
        "gap_at_256": digits(shown.log_marginal - shown.bound[last], 2),
    }


def picture(shown: TightnessReport) -> None:
    """Place the scene; K moves in powers of two."""
    known = shown.n_samples <= LAST
    link = Link("home", N_SAMPLES)
    canvas.show(
        "gap",
        link,
        N_SAMPLES,
        alt=f"The bound climbs from {fixed(shown.elbo)} nats at K = 1 to "
        f"{fixed(shown.bound[known][-1])} at K = {LAST}, towards "
        f"log p(x) = {fixed(shown.log_marginal)}.",
        meta={"log_marginal": shown.log_marginal},
        arrays={"K": shown.n_samples[known], "bound": shown.bound[known]},
    )
