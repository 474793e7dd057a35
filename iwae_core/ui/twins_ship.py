"""Write what *Twins* and *Train K by test K* open with: ``python -m iwae_core.ui.twins_ship``.

Names of scenes as arguments, such as ``twins.vae_iwae board.round``, choose among them; each takes
minutes. Run it after a study has changed; tests hold parts of what is shipped to fresh ones.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from iwae_core.evaluation.studies import saved
from iwae_core.places import ASSETS
from iwae_core.runtime import board as board_work
from iwae_core.runtime import twin_trials
from iwae_core.ui import board, twins

MADE_BY = "python -m iwae_core.ui.twins_ship"


def main(names: list[str]) -> None:
    """Work out the named scenes, all if none is named, and write them to ``assets/studies``."""
    torch.set_num_threads(1)
    known: dict[str, Callable[[], Any]] = {
        **{f"twins.{name}": partial(_twins, name) for name in twins.SHIPPED},
        **{f"board.{name}": partial(_board, name) for name in board.SHIPPED},
    }
    for name in names or known:
        began = time.monotonic()
        report = known[name]()
        path = ASSETS / "studies" / f"{name.replace('.', '_')}.json"
        path.write_text(saved.to_json(report) + "\n", encoding="utf-8")
        print(f"{path.name}: {time.monotonic() - began:.0f} s", file=sys.stderr)


def _twins(name: str) -> Any:
    config = twins.scene_trials(name)
    done = [twin_trials.carry_out(config, part) for part in twin_trials.parts(config)]
    return twin_trials.report(config, done, made_by=MADE_BY)


def _board(name: str) -> Any:
    config = board.scene_config(name)
    rows = [board_work.carry_out(config, part) for part in board_work.parts(config)]
    return board_work.report(config, rows, made_by=MADE_BY)


if __name__ == "__main__":
    main(sys.argv[1:])
