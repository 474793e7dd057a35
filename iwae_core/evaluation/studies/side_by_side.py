r"""The smallest VAE and the smallest IWAE: their scripts, what differs, and what each gives.

What runs is the very text that is shown: ``assets/code/side_by_side_{vae,iwae}.py``. It runs in
slices, so that a worker process is soon free for others and a reader may cancel: its ``range``
is replaced by one that starts where the last slice stopped. Every random number of step n comes
from ``stream(SEED, name, n)``, so the slices give what one run gives, to the bit.
"""

import copy
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from iwae_core.counts import is_count
from iwae_core.names import check_known
from iwae_core.places import ASSETS
from iwae_core.sampling.weights import log_mean_exp

Array = NDArray[np.float64]

SCRIPTS = {"vae": "VAE", "iwae": "IWAE"}
MAX_SAMPLES = 50  # K; a run takes some 20 seconds there
_BLOCK = 20  # steps behind one point of the training curve


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySideConfig:
    """One run of both scripts; the VAE's has one sample whatever K is."""

    n_samples: int = 5  # K of the IWAE
    n_steps: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        faults = []
        if not (is_count(self.n_samples) and self.n_samples <= MAX_SAMPLES):
            faults.append(f"n_samples must lie in 1..{MAX_SAMPLES}, got {self.n_samples}")
        if not (is_count(self.n_steps) and self.n_steps % _BLOCK == 0):
            faults.append(f"n_steps must be a multiple of {_BLOCK}, got {self.n_steps}")
        if self.seed < 0:
            faults.append(f"seed must not be negative, got {self.seed}")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScriptReport:
    """What one script gives; nats.

    Attributes:
        steps: Last step behind each point of the curve.
        bound: Its own objective on its training batches, mean over 20 steps.
        L_1: Held-out digits, one sample: the mean log weight.
        L_64: Held-out digits, 64 samples: the mean over digits of the log of their mean weight.
    """

    steps: Array
    bound: Array
    L_1: float
    L_64: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SideBySideReport:
    """Both, on one ruler.

    Attributes:
        config: What was run.
        vae: What the VAE's script gives.
        iwae: What the IWAE's script gives.
        n_test: Held-out digits.
        gain: L_64 of the IWAE less that of the VAE, nats.
        gain_error: Its standard error over the held-out digits, pair by pair; of these two
            trained models, so the chance of training is not in it.
    """

    config: SideBySideConfig
    vae: ScriptReport
    iwae: ScriptReport
    n_test: int
    gain: float
    gain_error: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Progress:
    """A script stopped between two steps, or at its end.

    Attributes:
        name: A key of SCRIPTS.
        config: What is run.
        bounds: The objective at each step so far.
        weights: State of the encoder, of the decoder and of Adam, empty before the first step.
        log_w: At the end the log weights of the held-out digits, ``(64, n)``; before, None.
    """

    name: str
    config: SideBySideConfig
    bounds: tuple[float, ...] = ()
    weights: tuple[dict[str, Any], ...] = ()
    log_w: torch.Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of both scripts side by side; None where a script has no such line."""

    vae: str | None
    iwae: str | None

    @property
    def same(self) -> bool:
        """Whether the scripts agree here."""
        return self.vae == self.iwae


class _Pause(Exception):  # noqa: N818 - no error: the slice is over
    pass


def source(name: str, config: SideBySideConfig) -> str:
    """One of the scripts, with the settings in its constants.

    Raises:
        ValueError: If there is no such script.
    """
    check_known(name, SCRIPTS, "script")
    text = (ASSETS / "code" / f"side_by_side_{name}.py").read_text("utf-8")
    constants = {"N_STEPS": config.n_steps, "SEED": config.seed}
    if name == "iwae":
        constants["K"] = config.n_samples
    for constant, value in constants.items():
        text = re.sub(rf"^{constant} = \d+", f"{constant} = {value}", text, flags=re.MULTILINE)
    return text


def compare(config: SideBySideConfig) -> tuple[Row, ...]:
    """The two scripts line by line, below their docstrings."""
    vae, iwae = (source(name, config).strip().splitlines()[2:] for name in SCRIPTS)
    rows = []
    for _, i, j, k, m in difflib.SequenceMatcher(None, vae, iwae, autojunk=False).get_opcodes():
        left, right = vae[i:j], iwae[k:m]
        for n in range(max(len(left), len(right))):
            rows.append(
                Row(
                    vae=left[n] if n < len(left) else None,
                    iwae=right[n] if n < len(right) else None,
                )
            )
    return tuple(rows)


def count(config: SideBySideConfig) -> tuple[int, int]:
    """How many lines a script has, empty ones aside, and how many of them differ."""
    rows = [row for row in compare(config) if row.vae or row.iwae]
    return len(rows), sum(not row.same for row in rows)


def advance(progress: Progress, n_steps: int) -> Progress:
    """Run some steps of a script; at its last step also what follows.

    Pure: the same progress and steps give the same result, and so does any other slicing.
    """
    bounds = list(progress.bounds)
    stop = len(bounds) + n_steps
    space: dict[str, Any] = {"__name__": "__main__", "print": lambda *_: None}

    def counted(n: int) -> Iterator[int]:
        parts = [space[part] for part in ("encoder", "decoder", "adam")]
        for part, state in zip(parts, progress.weights, strict=bool(progress.weights)):
            part.load_state_dict(copy.deepcopy(state))  # Adam would go on in the tensors given
        for step in range(len(bounds), min(stop, n)):
            yield step
            bounds.append(space["bound"].mean().item())  # back from the loop's body
        if stop < n:
            raise _Pause

    space["range"] = counted
    try:
        exec(compiled(progress.name, progress.config), space)
    except _Pause:
        states = (space[part].state_dict() for part in ("encoder", "decoder", "adam"))
        weights, log_w = tuple(copy.deepcopy(state) for state in states), None
    else:
        weights, log_w = (), space["log_w"]
    return Progress(
        name=progress.name,
        config=progress.config,
        bounds=tuple(bounds),
        weights=weights,
        log_w=log_w,
    )


@lru_cache(maxsize=8)
def compiled(name: str, config: SideBySideConfig) -> Any:
    """The script's code."""
    return compile(source(name, config), f"side_by_side_{name}.py", "exec")


def report(vae: Progress, iwae: Progress) -> SideBySideReport:
    """Put the two on one ruler.

    Raises:
        ValueError: If one of them has not come to its end.
    """
    if vae.log_w is None or iwae.log_w is None:
        raise ValueError("both scripts must have run to their end")
    gain = log_mean_exp(iwae.log_w.double()) - log_mean_exp(vae.log_w.double())
    return SideBySideReport(
        config=iwae.config,
        vae=_script_report(vae, vae.log_w),
        iwae=_script_report(iwae, iwae.log_w),
        n_test=len(gain),
        gain=gain.mean().item(),
        gain_error=(gain.std() / len(gain) ** 0.5).item(),
    )


def _script_report(progress: Progress, log_w: torch.Tensor) -> ScriptReport:
    bounds = np.array(progress.bounds).reshape(-1, _BLOCK)
    return ScriptReport(
        steps=np.arange(1, len(bounds) + 1, dtype=np.float64) * _BLOCK,
        bound=bounds.mean(axis=1),
        L_1=log_w.double().mean().item(),
        L_64=log_mean_exp(log_w.double()).mean().item(),
    )


def run(config: SideBySideConfig) -> SideBySideReport:
    """Run both scripts to their end; about 10 seconds at the defaults on one core."""
    whole = [advance(Progress(name=name, config=config), config.n_steps) for name in SCRIPTS]
    return report(*whole)
