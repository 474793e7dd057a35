"""The board on its page: what is shipped or worked out, the scene, and what two cells tell."""

from typing import Any

import numpy as np
import streamlit as st

from iwae_core.evaluation.studies import ruler_board
from iwae_core.evaluation.studies.ruler_board import BoardReport
from iwae_core.runtime import board as work
from iwae_core.runtime.board import BoardConfig
from iwae_core.training import trials
from iwae_core.ui import board, canvas, code, jobs
from iwae_core.ui.url import Link
from iwae_core.view.numbers import fixed, signed

_SECONDS = {"round": 3.0, "free": 3.0, "digits": 10.0}  # of one training, on a usual machine


def report(asked: BoardConfig) -> BoardReport:
    """The board as far as it is known; places what works out one that is not shipped."""
    if known := jobs.of_scene(BoardReport, board.PAGE, board.SHIPPED, asked):
        return known
    wanted = study(asked)
    n_trainings = len(wanted.parts)
    rows = jobs.result(
        wanted,
        ask=f"Fill the board: {n_trainings} trainings",
        help=f"About {wanted.seconds:.0f} s in a worker process; rows appear as they come.",
    )
    done = jobs.so_far(wanted) if rows is None else rows
    return work.report(asked, done, made_by="worker processes of this server")


def shipped(name: str) -> BoardReport:
    """The report of a scene, from ``assets/studies``."""
    return jobs.shipped(BoardReport, f"board_{name}")


def study(asked: BoardConfig) -> jobs.Study:
    """The trainings behind a board."""
    parts = work.parts(asked)
    per_step = _SECONDS[asked.kind] / board.scene_config(asked.kind).n_steps
    return jobs.Study(
        kind="ruler_board",
        work=work.work,
        args=(asked,),
        parts=parts,
        onward=None if asked.on_oracle else trials.carry_on,
        label=f"{len(parts)} trainings",
        seconds=len(parts) * (per_step * asked.n_steps + 1),
    )


def picture(link: Link) -> BoardReport:
    """Place the board, and what fills it; returns what it shows."""
    asked = board.config(link)
    found = report(asked)
    R, C = found.mean.shape
    one, two = (min(link.value(field), R * C - 1) for field in (board.FIRST, board.SECOND))
    gap, gap_error = ruler_board.below_truth(found)
    view = link.value(board.VIEW) if found.knows_truth else "nats"
    covered = not board.predicted(link)
    shown = np.arange(C) == 0 if covered else np.full(C, True)
    canvas.show(
        "rulers",
        link,
        board.FIRST,
        board.SECOND,
        alt=_alt(found, one, two, covered),
        meta={
            "train_k": found.train_k.tolist(),
            "columns": list(found.rulers),
            "view": view,
            "knows_truth": found.knows_truth,
            "covered": covered,
            "true_mean": found.true_mean if found.knows_truth else None,
        },
        arrays={
            "mean": np.where(shown, found.mean, np.nan),
            "std_error": np.where(shown, found.std_error, np.nan),
            "gap": np.where(shown, gap, np.nan),
            "gap_error": np.where(shown, gap_error, np.nan),
            "apart_error": _apart_errors(found),
        },
    )
    if not covered:
        _warn(found, divmod(one, C), divmod(two, C))
    st.caption(_origin(found, asked))
    return found


def _apart_errors(found: BoardReport) -> Any:
    """Standard error of every cell less every other, shape ``(R C, R C)``, nats."""
    R, C = found.mean.shape
    cells = [divmod(at, C) for at in range(R * C)]
    return np.array(
        [[ruler_board.difference(found, a, b).std_error for b in cells] for a in cells]
    )


def _warn(found: BoardReport, first: tuple[int, int], second: tuple[int, int]) -> None:
    apart = ruler_board.difference(found, first, second)
    if apart.same_ruler or not np.isfinite(apart.value):
        return
    rulers = [found.rulers[cell[1]] for cell in (first, second)]
    if apart.same_model:
        st.info(
            f"One model, two rulers (test K {rulers[0]} and {rulers[1]}): this difference says "
            "how far the rulers are apart, and nothing about training.",
            icon=":material/straighten:",
        )
        return
    model, ruler = ruler_board.parts(found, first, second)
    st.warning(
        f"**Different rulers.** The difference of {signed(apart.value, 3)} nats mixes the model "
        f"and the ruler: {signed(model.value, 3)} is the other model on A's ruler, "
        f"{signed(ruler.value, 3)} the other ruler. Compare models along a column only.",
        icon=":material/straighten:",
    )


def _origin(found: BoardReport, asked: BoardConfig) -> str:
    seeds = ", ".join(
        f"{n} for K = {K}" for K, n in zip(found.train_k, found.n_seeds, strict=True)
    )
    if len(set(found.n_seeds.tolist())) == 1:
        seeds = str(found.n_seeds[0])
    if not found.n_held_out:
        return "Nothing is worked out yet."
    truth = (
        f"True mean log p(x) of the same data: {fixed(found.true_mean, 3)} nats. "
        if found.knows_truth
        else "The true log p(x) is unknown; L_5000 is the best bound here, and no more. "
    )
    return (
        f"{truth}Mean over {found.n_held_out} held-out datapoints and {seeds} trained models "
        f"a row, {asked.n_steps} steps each. By: {found.made_by}."
    )


def _alt(found: BoardReport, one: int, two: int, covered: bool) -> str:
    C = len(found.rulers)
    texts = ["only the first ruler is uncovered"] if covered else []
    for letter, at in (("A", one), ("B", two)):
        row, column = divmod(at, C)
        if covered and column:
            continue
        texts.append(
            f"{letter}, trained with K = {found.train_k[row]} and measured by "
            f"{found.rulers[column]}: {fixed(float(found.mean[row, column]), 3)} nats"
        )
    return f"Board of {len(found.train_k)} training K by {C} rulers. " + "; ".join(texts) + "."


def why_numbers() -> dict[str, str]:
    """What the explanation cites: the scene of a q that cannot fit."""
    found = shipped("round")
    gap, _ = ruler_board.below_truth(found)
    return {
        "elbo_one": fixed(gap[0, 0], 2),
        "elbo_most": fixed(gap[-1, 0], 2),
        "exact_one": fixed(gap[0, -1], 3),
        "exact_most": fixed(gap[-1, -1], 3),
    }


def script_of(link: Link) -> str:
    """One cell of the board as a script: cell B, at the board's first seed."""
    asked = board.config(link)
    columns = asked.columns
    row, column = divmod(min(link.value(board.SECOND), 4 * len(columns) - 1), len(columns))
    return script(asked, work.TRAIN_K[row], columns[column])


def script(asked: BoardConfig, n_samples: int, ruler: str) -> str:
    """One training measured by one ruler, as a script."""
    values: dict[str, Any] = {
        "TRAIN_K": n_samples,
        "TEST_K": int(ruler) if ruler.isdigit() else 0,
        "N_STEPS": asked.n_steps,
        "SEED": asked.seed,
    }
    if asked.on_oracle:
        return code.fill(code.template("board"), FAMILY=asked.kind, **values)
    return code.fill(code.template("board_digits"), **values)
