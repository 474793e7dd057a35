"""The controls of the training page: three in sight, the rest in named groups.

A control that the present choice leaves without effect is not offered; a sentence says why.
"""

from collections.abc import Mapping

import streamlit as st

from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.training.schedule import KL_SCHEDULES, RATE_SCHEDULES
from iwae_core.ui import controls, first_steps, predict, training, training_presets
from iwae_core.ui import training_fields as fields
from iwae_core.ui.url import Link

METHOD_NAMES: Mapping[str, str] = {
    "vae": "VAE: ELBO, closed-form KL",
    "elbo": "ELBO, Monte Carlo KL",
    "iwae": "IWAE",
    "ciwae": "CIWAE: part ELBO, part IWAE",
    "miwae": "MIWAE: mean over groups",
    "piwae": "PIWAE: two bounds",
    "renyi": "Renyi bound",
}
_GRADIENT_NAMES = {
    "plain": "of the bound itself",
    "stl": "sticking the landing",
    "dreg": "doubly reparameterized",
    "rws": "reweighted wake-sleep",
}
_BACKWARD_NAMES = {
    "exact": "all K samples",
    "truncated": "the heaviest",
    "resampled": "draws by weight",
}
_RULE_NAMES = {"none": "none", "free": "free bits", "rate": "target rate"}
_LIKELIHOOD_NAMES = {
    "auto": "fits the data",
    "bernoulli": "Bernoulli",
    "gaussian": "Gaussian, learned noise",
    "fixed": "Gaussian, fixed noise",
}
_DECODER_NAMES = {"mlp": "independent", "autoregressive": "autoregressive"}
_WIDTH_NAMES = {"auto": "fits the data"}
LIVE = "These change the run while it goes on."
FRESH = "These start a new run."


def main(link: Link) -> None:
    """What is in sight: the scene with its reason, data, objective and K."""
    first, left, middle, right = st.columns(4)
    told = st.container()
    with first:
        predicted = link.value(training.GUESS) != predict.OPEN
        training_presets.choose(link, told, tells=predicted)
    with left:
        controls.choice(link, fields.DATASET, "Data", names=training.dataset_names())
    with middle:
        controls.choice(link, fields.METHOD, "Objective", names=METHOD_NAMES)
    with right:
        controls.log_slider(link, fields.N_SAMPLES, "K", unit="samples per datapoint")


def more(link: Link, *, latent_help: str) -> None:
    """Everything else, by what it touches."""
    gradient, kl, learning, model = st.tabs(
        ["Objective and gradient", "KL", "Learning", "Network"]
    )
    with gradient:
        st.caption(LIVE)
        _gradient(link)
    with kl:
        st.caption(LIVE)
        _kl(link)
    with learning:
        st.caption(f"{LIVE} Patience and seed start a new run.")
        _learning(link)
    with model:
        st.caption(FRESH)
        _model(link, latent_help)


def _gradient(link: Link) -> None:
    left, middle, right = st.columns(3)
    method = link.value(fields.METHOD)
    with left:
        _setting(link, method)
    with middle:
        if method == "vae":
            st.markdown(
                ":small[**Gradient**: with its KL in closed form, no sample has a weight, so "
                "there is one gradient and nothing to leave out of the backward pass.]"
            )
        elif method == "piwae":
            st.markdown(
                ":small[**Gradient**: PIWAE is itself a choice of gradient: the decoder climbs "
                "the IWAE's bound, the encoder that of the groups.]"
            )
        else:
            controls.choice(
                link, fields.GRADIENT, "Encoder's gradient", names=_GRADIENT_NAMES, menu=True
            )
    with right:
        if method != "vae":
            way = controls.choice(
                link,
                fields.BACKWARD_WAY,
                "Backward through",
                names=_BACKWARD_NAMES,
                menu=True,
                help="All K samples always run forward. Going backward through few of them costs "
                "less: the heaviest leave out a share of the weight, draws by weight add noise.",
            )
            if way == "truncated":
                controls.log_slider(link, fields.EPSILON, "Weight left out")
            if way == "resampled":
                controls.log_slider(link, fields.PICKS, "Draws", unit="per datapoint")


def _setting(link: Link, method: str) -> None:
    """The one number that the objective has."""
    if method == "ciwae":
        controls.slider(link, fields.SHARE, "Share of the ELBO", help="0 is IWAE, 1 the ELBO.")
    elif method == "renyi":
        controls.slider(
            link,
            fields.ALPHA,
            "Order alpha",
            step=0.1,
            help="0 is the IWAE's bound, 1 the ELBO. Below 0 it may exceed log p(x).",
        )
    elif method in ("miwae", "piwae"):
        K, M = link.value(fields.N_SAMPLES), link.value(fields.GROUPS)
        divisors = [m for m in range(1, K + 1) if K % m == 0]
        value = st.select_slider(
            "Groups M",
            sorted({*divisors, M}) if len({*divisors, M}) > 1 else [M, M + 1],
            key=link.key(fields.GROUPS),
            help="The K samples fall into M groups of the same size; M = 1 is the IWAE's bound, "
            "M = K the ELBO.",
        )
        link.accept(fields.GROUPS, value)
        fitting = ", ".join(map(str, divisors))
        st.caption(f"M must divide K = {K}: {fitting}.")
    else:
        title = OBJECTIVES[fields.METHODS[method][0]].title
        st.markdown(f":small[**{title}** has no setting but K.]")


def _kl(link: Link) -> None:
    left, middle, right = st.columns(3)
    with left:
        controls.slider(
            link,
            fields.BETA,
            "β, weight of the KL",
            step=0.1,
            help="β multiplies log p(z) / q(z | x). Below 1 the objective bounds nothing; above 1 "
            "the ELBO is a looser bound, the others are none.",
        )
    with middle:
        titles = {name: schedule.title for name, schedule in KL_SCHEDULES.items()}
        schedule = controls.choice(
            link, fields.KL_SCHEDULE, "Course of β", names=titles, menu=True
        )
        if schedule != "constant":
            label = "Warm-up" if schedule == "linear" else "Cycle"
            controls.log_slider(link, fields.KL_STEPS, label, unit="steps")
        if schedule == "cyclical":
            controls.slider(link, fields.KL_RAMP, "Share of a cycle that rises", step=0.1)
    with right:
        if link.value(fields.METHOD) != "vae":
            st.markdown(
                ":small[**Rule for the KL**: free bits and a target rate charge the KL of each "
                "latent in closed form, which only the objective *VAE* has.]"
            )
            return
        rule = controls.choice(
            link, fields.KL_RULE, "Rule for the KL", names=_RULE_NAMES, menu=True
        )
        if rule == "free":
            controls.log_slider(
                link, fields.FREE_BITS, "Free", unit="nats per latent, mean over the batch"
            )
        if rule == "rate":
            controls.log_slider(link, fields.TARGET_RATE, "Total KL to hold", unit="nats")


def _learning(link: Link) -> None:
    left, middle, right = st.columns(3)
    with left:
        controls.log_slider(link, fields.LEARNING_RATE, "Learning rate")
        titles = {name: schedule.title for name, schedule in RATE_SCHEDULES.items()}
        if (
            controls.choice(link, fields.RATE_SCHEDULE, "Its course", names=titles, menu=True)
            == "burda"
        ):
            controls.log_slider(
                link,
                fields.STRETCH,
                "Length",
                unit="times 3,280 epochs",
                help="Eight stages, the last at a tenth of the rate.",
            )
    with middle:
        controls.log_slider(link, fields.BATCH_SIZE, "Batch", unit="datapoints")
    with right:
        controls.number(
            link,
            fields.PATIENCE,
            "Patience",
            unit="epochs, 0: never stops",
            help="Holds out a tenth of the training set and stops once L₁₆ on it has not risen "
            "for so long.",
        )
    controls.seed(link, fields.SEED)
    first_steps.control(link)


def _model(link: Link, latent_help: str) -> None:
    left, middle, right = st.columns(3)
    with left:
        controls.log_slider(link, fields.LATENT_DIM, "Latent size", help=latent_help)
        layers = controls.choice(link, fields.LAYERS, "Stochastic layers")
        if layers == "2":
            controls.log_slider(link, fields.SECOND_DIM, "Size of the upper one")
            if link.value(fields.METHOD) == "vae":
                st.caption(
                    "Two stochastic layers have no KL in closed form: take *ELBO, Monte Carlo KL*."
                )
    with middle:
        controls.choice(link, fields.WIDTH, "Hidden width", names=_width_names())
        controls.slider(link, fields.DEPTH, "Hidden layers")
        controls.choice(link, fields.ACTIVATION, "Activation")
    with right:
        likelihood = controls.choice(
            link, fields.LIKELIHOOD, "Likelihood", names=_LIKELIHOOD_NAMES, menu=True
        )
        if likelihood == "fixed":
            controls.log_slider(link, fields.NOISE, "Noise of x", unit="standard deviation")
        controls.choice(
            link,
            fields.DECODER,
            "Decoder",
            names=_DECODER_NAMES,
            menu=True,
            help="Autoregressive: each bit also sees the bits before it. For binary data.",
        )


def _width_names() -> Mapping[str, str]:
    return {choice: _WIDTH_NAMES.get(choice, choice) for choice in fields.WIDTH.choices}
