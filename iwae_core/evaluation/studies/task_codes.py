"""A solved task as 24 characters that anybody can replay.

A code holds the task, the seed and every setting that decides the draws, whether the task was
passed, and a checksum of 30 bits: a code with a typing mistake is refused, and passes for another
one once in a billion. It is no signature: who knows this file can write codes, and replaying
checks the work again in any case.

Settings are kept on the grid of the page: location and scale to 0.01, degrees of freedom to 0.1.
"""

import base64
import hashlib

from iwae_core.evaluation.studies import tasks
from iwae_core.evaluation.studies.tasks import TASKS, Verdict
from iwae_core.evaluation.studies.weighting import WeightingConfig

VERSION = 1
LENGTH = 24  # characters, 5 bits each
CHECK_BITS = 30
# Codes outlive versions: entries keep their places here, and new ones are added at the end.
TASK_ORDER = (
    "beat_the_target",
    "few_effective",
    "calm_tails",
    "one_percent",
    "rare",
    "both_modes",
    "fooled",
)
FAMILY_ORDER = ("normal", "student_t", "laplace", "uniform", "defensive")
ESTIMATOR_ORDER = ("importance", "self_normalized")

# Name, bits, smallest value; together with the checksum 120 bits.
_FIELDS = (
    ("version", 2, 0),
    ("task", 5, 0),
    ("family", 3, 0),
    ("estimator", 1, 0),
    ("passed", 1, 0),
    ("loc", 12, -2048),  # hundredths
    ("scale", 12, 1),  # hundredths
    ("df", 10, 1),  # tenths
    ("n_samples", 13, 1),
    ("seed", 31, 0),
)


def snap(config: WeightingConfig) -> WeightingConfig:
    """The nearest state that a code can hold, for the same question."""
    return WeightingConfig(
        target=config.target,
        family=config.family,
        loc=round(config.loc, 2) + 0.0,
        scale=max(round(config.scale, 2), 0.01),
        df=max(round(config.df, 1), 0.1),
        integrand=config.integrand,
        estimator=config.estimator,
        n_samples=config.n_samples,
        seed=config.seed,
    )


def encode(verdict: Verdict) -> str:
    """Write a verdict as a code.

    Raises:
        ValueError: If the question is not that of the task, a setting does not lie on the grid
            (use :func:`snap` before :func:`.tasks.check`), or is out of range.
    """
    c, task = verdict.config, TASKS[verdict.task]
    if (c.target, c.integrand) != (task.target, task.integrand):
        raise ValueError("a code holds solutions of the task's own question")
    if snap(c) != c:
        raise ValueError(f"settings must lie on the grid of the page, got {c}: snap them first")
    values = {
        "version": VERSION,
        "task": TASK_ORDER.index(verdict.task),
        "family": FAMILY_ORDER.index(c.family),
        "estimator": ESTIMATOR_ORDER.index(c.estimator),
        "passed": int(verdict.passed),
        "loc": round(100 * c.loc),
        "scale": round(100 * c.scale),
        "df": round(10 * c.df),
        "n_samples": c.n_samples,
        "seed": c.seed,
    }
    packed = 0
    for name, bits, low in _FIELDS:
        shifted = values[name] - low
        if not 0 <= shifted < 2**bits:
            raise ValueError(f"{name} is out of a code's range, got {values[name]}")
        packed = packed << bits | shifted
    packed = packed << CHECK_BITS | _checksum(packed)
    return base64.b32encode(packed.to_bytes(15, "big")).decode()


def replay(code: str) -> Verdict:
    """Read a code, draw again, and judge again.

    Case, spaces and dashes do not matter.

    Raises:
        ValueError: If the code is damaged, of another version, or claims what is not so.
    """
    values = _unpack(code)
    if values["version"] != VERSION:
        raise ValueError(f"this code is of version {values['version']}, not {VERSION}")
    try:
        name = TASK_ORDER[values["task"]]
        config = WeightingConfig(
            target=TASKS[name].target,
            family=FAMILY_ORDER[values["family"]],
            loc=values["loc"] / 100,
            scale=values["scale"] / 100,
            df=values["df"] / 10,
            integrand=TASKS[name].integrand,
            estimator=ESTIMATOR_ORDER[values["estimator"]],
            n_samples=values["n_samples"],
            seed=values["seed"],
        )
    except IndexError as fault:
        raise ValueError("this code names a task or a family that does not exist") from fault
    verdict = tasks.check(name, config)
    if verdict.passed != bool(values["passed"]):
        claimed, found = ("passed", "not") if values["passed"] else ("not passed", "passed")
        raise ValueError(f"the code says {claimed}, but replaying says {found}")
    return verdict


def grouped(code: str) -> str:
    """A code in groups of six, for people to read.

    >>> grouped("ABCDEFGHIJKLMNOPQRSTUVWX")
    'ABCDEF-GHIJKL-MNOPQR-STUVWX'
    """
    return "-".join(code[i : i + 6] for i in range(0, len(code), 6))


def _unpack(code: str) -> dict[str, int]:
    text = "".join(code.split()).replace("-", "").upper()
    if len(text) != LENGTH:
        raise ValueError(f"a code has {LENGTH} letters and digits, got {len(text)}: was it cut?")
    try:
        packed = int.from_bytes(base64.b32decode(text), "big")
    except ValueError as fault:
        raise ValueError("a code is made of A-Z and 2-7: is a 0 an O, or a 1 an I?") from fault
    packed, found = packed >> CHECK_BITS, packed & (2**CHECK_BITS - 1)
    if _checksum(packed) != found:
        raise ValueError("the code's checksum does not fit: it was mistyped or changed")
    values = {}
    for name, bits, low in reversed(_FIELDS):
        values[name] = (packed & (2**bits - 1)) + low
        packed >>= bits
    return values


def _checksum(packed: int) -> int:
    digest = hashlib.blake2b(packed.to_bytes(12, "big"), digest_size=4, person=b"iwae-lab-task")
    return int.from_bytes(digest.digest(), "big") >> (32 - CHECK_BITS)
