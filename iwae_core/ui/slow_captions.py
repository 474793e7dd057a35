"""What slow motion says at each of its five phases, with the numbers on screen."""

from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.training import TrainConfig
from iwae_core.training.slow_motion import SlowMotionReport
from iwae_core.view.numbers import digits, fixed, percent

PHASES = ("sample", "weight", "average", "log", "gradient")

_ESTIMATORS = {
    "stick_the_landing": "The score of q is left out of the encoder's pulls.",
    "doubly_reparameterized": "The encoder's shares are those of the doubly reparameterized "
    "gradient, for the IWAE bound the squared weights.",
    "wake_sleep": "The encoder's pulls are those of weighted log q: it climbs no bound.",
    "piwae": "The decoder's shares are the normalized weights, the encoder's those of the "
    "objective.",
}


def captions(config: TrainConfig, report: SlowMotionReport) -> tuple[str, ...]:
    """One caption for each phase."""
    return (
        _sample(report),
        _weight(config, report),
        _average(config, report),
        _log(config, report),
        _gradient(config, report),
    )


def _sample(report: SlowMotionReport) -> str:
    K = report.n_samples
    drawn = "One sample is" if K == 1 else f"{K} samples are"
    return (
        f"The encoder reads the datapoint and answers with q(z | x). {drawn} drawn as mean + "
        "width times noise, so that a gradient can flow through z back to the encoder."
    )


def _weight(config: TrainConfig, report: SlowMotionReport) -> str:
    if not report.weighted:
        return (
            "Each sample is decoded and scored by log p(x | z) alone: "
            f"{fixed(report.log_likelihood.max())} nats at best. No weight is used: what q costs "
            "against the prior is a KL in closed form."
        )
    tempered = ""
    if report.beta != 1:
        tempered = f" (log p(z) and log q counted {digits(report.beta)} times at this step)"
    log_w = report.all_log_w
    lowest, highest = fixed(log_w.min()), fixed(log_w.max())
    spread = f"from {lowest} to {highest}" if len(log_w) > 1 else f"here {highest}"
    return (
        "Each sample is decoded: log p(x, z) says how well it explains the datapoint, log q how "
        f"readily the encoder draws it. The difference is log w{tempered}, {spread} nats."
    )


def _average(config: TrainConfig, report: SlowMotionReport) -> str:
    K, heaviest = report.n_samples, percent(report.weight.max())
    if not report.weighted:
        return f"The scores are averaged: each counts 1/{K}, good or poor."
    if config.objective == "iwae":
        return (
            "The weights are averaged, before any logarithm. The heaviest sample holds "
            f"{heaviest} of the sum; in effect {digits(report.ess)} of {K} count."
        )
    if config.objective == "elbo":
        return (
            f"The ELBO averages the logs: each sample counts 1/{K}, the poor ones too. (Dots: by "
            f"weight the best would count {heaviest}.)"
        )
    return (
        f"{OBJECTIVES[config.objective].title}: sample k gets the share ∂L/∂log w of the "
        f"gradient. Bars: these shares. Dots: the normalized weights, {heaviest} at most."
    )


def _log(config: TrainConfig, report: SlowMotionReport) -> str:
    bound, elbo = fixed(report.bound), fixed(report.elbo)
    K, value = report.n_samples, fixed(report.objective)
    if not report.weighted:
        return (
            f"There is no average to take a log of. Mean score less the KL is {value} nats: the "
            f"ELBO, with less noise than the mean of log w, {elbo}."
        )
    if config.objective == "iwae":
        return (
            f"Then the logarithm: L_{K} of this draw is {bound} nats. The mean of the logs, the "
            f"ELBO, is {elbo}: the log is concave, so it is never higher."
        )
    if config.objective == "elbo":
        return (
            f"The logs came first, so the mean is the ELBO, {elbo} nats. The log of the mean "
            f"weight would be {bound}: the same samples, bracketed anew."
        )
    return (
        f"The objective is {value} nats for these samples, beside the ELBO {elbo} and the log of "
        f"the mean weight {bound}."
    )


def _gradient(config: TrainConfig, report: SlowMotionReport) -> str:
    told = (
        "Each sample pulls by its share times its own gradient. Bars: its part along the sum; "
        f"together {digits(report.encoder.total)} for the encoder and "
        f"{digits(report.decoder.total)} for the decoder."
    )
    if not report.weighted:
        told += " The KL pulls the encoder once more, by a term of its own."
    note = _ESTIMATORS.get(config.estimator, "")
    if config.backward != "exact" and report.weighted:
        note += f" (The run itself sends fewer samples backward: {config.backward}.)"
    return f"{told} {note}".strip()
