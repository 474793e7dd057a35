"""Named starting points of the training page, each with why it works or fails.

Numbers in these lines are measured at three seeds by ``benchmarks/train_scenes.py`` and kept in
``assets/evidence/train_scenes.jsonl``; a test holds the lines to the file.
"""

from collections.abc import Mapping
from typing import Any

from streamlit.delta_generator import DeltaGenerator

from iwae_core.evaluation.studies.scene import Scene
from iwae_core.ui import scenes
from iwae_core.ui import training_fields as fields
from iwae_core.ui.fields import Field
from iwae_core.ui.url import Link

# A preset sets every control but the seed and what a reader has drawn or uploaded.
_KEPT = (fields.SEED, fields.POINTS, fields.TABLE)
SETTINGS: Mapping[str, Field[Any]] = {
    field.name: field for field in fields.FIELDS if field not in _KEPT
}


def _preset(title: str, why: str, **settings: float | str) -> Scene:
    whole = {name: field.default for name, field in SETTINGS.items()} | settings
    return Scene(title=title, why=why, settings=tuple(whole.items()))


PRESETS: Mapping[str, Scene] = {
    "iwae": _preset(
        "IWAE on digits, K = 5",
        "Works: five samples share one log, so the encoder may spread. After 3,000 "
        "steps the solid curve is 0.4 nats above the VAE's, the dashed one half a nat below it: "
        "judge a model by the bound that fits the question.",
    ),
    "vae": _preset(
        "VAE on digits",
        "Works, and is the ruler for the others: one sample, the KL in closed form. The two "
        "curves stay half a nat apart, for every single sample has to explain the datapoint.",
        objective="vae",
        K=1,
    ),
    "manifold": _preset(
        "Two latents: all of them in sight",
        "Works, with less room: two latents cannot keep ten digits apart, and after 1,500 steps "
        "the solid curve is about a nat below that of eight. But nothing is hidden: the manifold "
        "shows what every place of the plane decodes to.",
        latents=2,
    ),
    "many": _preset(
        "K = 50: the encoder's signal fades",
        "Works for the decoder, less for the encoder. The dashed curve falls behind: "
        "after 600 steps it is between \N{MINUS SIGN}25 and \N{MINUS SIGN}26, by the seed. The "
        "bound pays for the best of 50 samples only, and the encoder's gradient drowns in noise "
        "as K grows.",
        K=50,
    ),
    "landing": _preset(
        "K = 50, sticking the landing",
        "The same bound, another gradient: without the score of q its noise vanishes where q "
        "is right. After 600 steps the dashed curve is 1.3 to 2.2 nats above the plain "
        "gradient's, by the seed, and the solid one a little. For K > 1 it is biased: that is "
        "not noise removed alone.",
        K=50,
        gradient="stl",
    ),
    "piwae": _preset(
        "PIWAE: K = 64 in 8 groups",
        "A compromise that works: the decoder climbs the bound of all 64 samples, the encoder "
        "one of 8, whose gradient has the better signal. After 600 steps the dashed curve is "
        "at \N{MINUS SIGN}24.0, with K = 50 and the plain gradient below \N{MINUS SIGN}25.",
        objective="piwae",
        K=64,
        groups=8,
    ),
    "few": _preset(
        "K = 64, backward through the heaviest",
        "Works, at a price. Most of the 64 samples carry almost no weight, and a step that goes "
        "backward through those that hold 99 % of it takes less time. After 600 steps the solid "
        "curve is that of the whole backward pass; the dashed one lies 0.3 to 1 nat lower, by the "
        "seed: what is left out is not noise alone.",
        K=64,
        backward="truncated",
    ),
    "powerful": _preset(
        "A powerful decoder: the latents die",
        "Fails by succeeding: each pixel sees the pixels before it, so the decoder needs z "
        "less and less. After 6,000 steps three or four of the eight latents carry next to "
        "nothing. Hollow bars have collapsed.",
        objective="vae",
        K=1,
        decoder="autoregressive",
    ),
    "warm_up": _preset(
        "Powerful decoder, KL warm-up",
        "Helps: while the KL is free the decoder learns to use z before it learns to do "
        "without. After 6,000 steps all eight latents still carry something, twice as much in "
        "sum as without the warm-up.",
        objective="vae",
        K=1,
        decoder="autoregressive",
        warmup="linear",
        warmup_steps=2000,
    ),
    "free_bits": _preset(
        "Powerful decoder, free bits",
        "Helps by decree: no latent is charged for its first 0.5 nats, so every bar settles "
        "between 0.5 and 0.7, useful or not. What is climbed is looser than the ELBO: it charges "
        "those nats whether they are used or not.",
        objective="vae",
        K=1,
        decoder="autoregressive",
        rule="free",
        free=0.5,
    ),
    "beta": _preset(
        "β = 4: the KL is dear",
        "Fails here: at four times its price no latent of the digits earns its KL. All eight "
        "die within 1,500 steps, and what is left draws every pixel on its own.",
        objective="vae",
        K=1,
        beta=4.0,
    ),
    "two_layers": _preset(
        "Two stochastic layers",
        "Works: the second layer makes the prior of the first one flexible. The last four "
        "bars are the upper latents; of these up to half stay nearly unused, by the seed.",
        layers="2",
    ),
    "too_fast": _preset(
        "Too high a learning rate",
        "Fails at once: the first step throws the parameters so far that the log weights are no "
        "longer numbers. The run stops, says where and why, and keeps the last good state. Lower "
        "the rate and start over.",
        rate=0.2,
        activation="relu",
    ),
    "pinwheel": _preset(
        "Pinwheel, two latents",
        "Works: the samples bend into five arms, and the solid curve rises. The dashed one "
        "falls meanwhile, for an arm bends the posterior and one sample of a round q often "
        "lands beside it.",
        data="pinwheel",
        latents=2,
    ),
    "drawing": _preset(
        "Draw your own points",
        "Works for curves and blots. After 3,000 steps on the spiral one sample in five still "
        "lies off the strokes, where no datapoint does: a smooth decoder cannot tear the round "
        "prior apart. Draw gaps, and watch it bridge them.",
        data="drawn",
        latents=2,
    ),
}


def choose(link: Link, where: DeltaGenerator, *, tells: bool) -> None:
    """Place the choice, and in ``where`` why the preset in force works or fails."""
    scenes.choose(link, SETTINGS, PRESETS, where=where, tells=tells)
