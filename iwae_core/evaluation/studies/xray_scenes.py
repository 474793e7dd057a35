"""The networks and the named scenes of the weight x-ray."""

from typing import NamedTuple

from iwae_core.evaluation.studies.scene import Scene


class Network(NamedTuple):
    """A trained network and how to call it."""

    title: str
    folder: str  # in assets/pretrained


NETWORKS = {
    "iwae": Network("IWAE (L₅₀)", "digits_iwae"),
    "elbo": Network("VAE (ELBO)", "digits_elbo"),
}

# Test digits 70 and 38, and a cross from corner to corner; studies.drawing reads them.
CLEAN_THREE = "AADONAAAACQJQCAAAEMDQAAAACJPQKBAAAALIQGAAAGAAMIAAAOKFQHAAADNQLBA"
UNUSUAL_THREE = "ACLQQIBAACMJJQKAAAAAEQJAAAACPQAAAAADQOAAAAAANQDAAAELQIAAADPMEAAA"
CROSS = "QAAAAAAQAQAAAAQAAAQAAQAAAAAQQAAAAAAQQAAAAAQAAQAAAQAAAAQAQAAAAAAQ"
BLANK = 64 * "A"


def _scene(
    title: str,
    why: str,
    drawing: str,
    network: str = "iwae",
    squeeze: float = 1.0,
    n_samples: int = 64,
) -> Scene:
    return Scene(
        title=title,
        why=why,
        settings=(
            ("network", network),
            ("drawing", drawing),
            ("squeeze", squeeze),
            ("shift_1", 0.0),
            ("shift_2", 0.0),
            ("n_samples", n_samples),
        ),
    )


SCENES = {
    "clean": _scene(
        "A clean 3",
        "This encoder was trained with 50 particles, so its q is wider than the posterior: a "
        "third of the particles carry the answer, the rest were sent to look around.",
        CLEAN_THREE,
    ),
    "by_elbo": _scene(
        "The same 3, encoder trained by the ELBO",
        "The ELBO averages log weights, so it punishes every poor particle: q is narrow and sits "
        "on the posterior. More particles count, and yet log p(x) is lower: the decoder explains "
        "this 3 less well.",
        CLEAN_THREE,
        network="elbo",
    ),
    "unusual": _scene(
        "An unusual 3",
        "Two explanations: the posterior has a narrow part for a 3 and one for something like a "
        "7, both at the edge of q. Few of the 64 particles land on either; more particles help.",
        UNUSUAL_THREE,
    ),
    "squeezed": _scene(
        "Encoder squeezed to a quarter",
        "All particles stand near the best place and none is poor, yet the weights are unequal: "
        "the outermost stand for all that q no longer reaches. What q misses is missing from the "
        "average, and no weight brings it back.",
        CLEAN_THREE,
        network="elbo",
        squeeze=0.25,
    ),
    "no_digit": _scene(
        "No digit at all",
        "The encoder answers whatever it is shown, and weights always add up to one: they say "
        "which particle explains the cross least badly. Only log p(x) says that none explains it.",
        CROSS,
    ),
    "one": _scene(
        "K = 1",
        "One particle has all the weight, however poor it is. The bound is its log weight: the "
        "ELBO, with the noise of a single draw.",
        CLEAN_THREE,
        n_samples=1,
    ),
}

# A test digit of each class, by its number in the test set, to start a drawing from.
STARTS = {0: 144, 1: 272, 2: 34, 3: 70, 4: 28, 5: 31, 6: 180, 7: 40, 8: 22, 9: 29}
