"""Codes of tasks: round trips, damage, and claims that do not hold."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae_core.evaluation.studies import choices, task_codes, tasks
from iwae_core.evaluation.studies.task_codes import encode, grouped, replay, snap
from iwae_core.evaluation.studies.tasks import TASKS
from iwae_core.evaluation.studies.weighting import ESTIMATORS

SOLVED = {name: encode(tasks.check(name, task.solution)) for name, task in TASKS.items()}


@pytest.mark.parametrize("name", TASKS)
def test_a_code_replays_to_the_same_verdict(name):
    verdict = tasks.check(name, TASKS[name].solution)
    code = SOLVED[name]
    assert len(code) == 24
    for written in (code, grouped(code), code.lower(), f" {code[:7]} {code[7:]}\n"):
        assert replay(written) == verdict
    failed = tasks.check(name, dataclasses.replace(TASKS[name].solution, loc=-3.0))
    assert not failed.passed
    assert replay(encode(failed)) == failed


@given(
    name=st.sampled_from(list(TASKS)),
    family=st.sampled_from(list(choices.FAMILIES)),
    estimator=st.sampled_from(list(ESTIMATORS)),
    loc=st.floats(-6, 6),
    scale=st.floats(0.2, 4),
    df=st.floats(1, 30),
    n_samples=st.integers(1, 4096),
    seed=st.integers(0, 2**31 - 1),
    passed=st.booleans(),
)
def test_every_state_of_the_page_fits_and_comes_back(
    name, family, estimator, loc, scale, df, n_samples, seed, passed
):
    task = TASKS[name]
    config = snap(
        dataclasses.replace(
            task.solution, family=family, estimator=estimator, loc=loc, scale=scale, df=df,
            n_samples=n_samples, seed=seed,
        )
    )  # fmt: skip
    assert abs(config.loc - loc) <= 0.0051
    assert abs(config.scale - scale) <= 0.0051
    assert abs(config.df - df) <= 0.051
    assert snap(config) == config
    code = encode(
        tasks.Verdict(task=name, config=config, passed=passed, conditions=(), sentence="")
    )
    found = task_codes._unpack(code)
    assert found["loc"] / 100 == config.loc
    assert found["scale"] / 100 == config.scale
    assert found["df"] / 10 == config.df
    assert (found["n_samples"], found["seed"], found["passed"]) == (n_samples, seed, passed)
    assert task_codes.FAMILY_ORDER[found["family"]] == family
    assert task_codes.ESTIMATOR_ORDER[found["estimator"]] == estimator
    assert task_codes.TASK_ORDER[found["task"]] == name


@pytest.mark.parametrize("place", range(24))
def test_one_changed_character_is_noticed(place):
    # 31 other characters at each of 24 places: 744 chances of 2^-30 to pass unseen.
    code = SOLVED["rare"]
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".replace(code[place], ""):
        with pytest.raises(ValueError, match="checksum"):
            replay(code[:place] + letter + code[place + 1 :])


def test_two_swapped_characters_are_noticed():
    code = SOLVED["fooled"]
    for i in range(23):
        if code[i] != code[i + 1]:
            with pytest.raises(ValueError, match="checksum"):
                replay(code[:i] + code[i + 1] + code[i] + code[i + 2 :])


def test_a_forged_claim_is_found_by_replaying():
    task = TASKS["one_percent"]
    failed = tasks.check("one_percent", dataclasses.replace(task.solution, loc=0.0))
    forged = dataclasses.replace(failed, passed=True)
    with pytest.raises(ValueError, match="says passed, but replaying says not"):
        replay(encode(forged))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", "got 0: was it cut"),
        (SOLVED["rare"][:-1], "got 23: was it cut"),
        (SOLVED["rare"][:-1] + "1", "made of A-Z and 2-7"),
        ("é" * 24, "made of A-Z and 2-7"),
        ("A" * 24, "checksum"),
    ],
)
def test_a_damaged_code_is_refused(code, message):
    with pytest.raises(ValueError, match=message):
        replay(code)


def test_codes_of_other_versions_and_unknown_tasks_are_refused(monkeypatch):
    verdict = tasks.check("rare", TASKS["rare"].solution)
    monkeypatch.setattr(task_codes, "VERSION", 2)
    newer = encode(verdict)
    monkeypatch.setattr(task_codes, "VERSION", 1)
    with pytest.raises(ValueError, match="version 2, not 1"):
        replay(newer)
    monkeypatch.setattr(task_codes, "TASK_ORDER", ("x",) * 20 + ("rare",))
    unknown = encode(verdict)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="does not exist"):
        replay(unknown)


def test_what_no_code_can_hold_is_refused():
    solution = TASKS["rare"].solution
    for changes, message in (
        ({"target": "normal"}, "the task's own question"),
        ({"loc": 5.001}, "snap them first"),
        ({"loc": 30.0}, "loc is out of a code's range"),
        ({"n_samples": 8193}, "n_samples is out of a code's range"),
    ):
        verdict = tasks.Verdict(
            task="rare", config=dataclasses.replace(solution, **changes), passed=False,
            conditions=(), sentence="",
        )  # fmt: skip
        with pytest.raises(ValueError, match=message):
            encode(verdict)


def test_the_places_in_codes_are_complete_and_fit():
    assert sorted(task_codes.TASK_ORDER) == sorted(TASKS)
    assert sorted(task_codes.FAMILY_ORDER) == sorted(choices.FAMILIES)
    assert sorted(task_codes.ESTIMATOR_ORDER) == sorted(ESTIMATORS)
    bits = {name: bits for name, bits, _ in task_codes._FIELDS}
    assert sum(bits.values()) + task_codes.CHECK_BITS == 5 * task_codes.LENGTH
    assert len(task_codes.TASK_ORDER) <= 2 ** bits["task"]
    assert len(task_codes.FAMILY_ORDER) <= 2 ** bits["family"]
