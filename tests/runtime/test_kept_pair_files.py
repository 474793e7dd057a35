"""A pair as a file: out, and in again as a pair; and every way such a file can be wrong."""

import dataclasses

import numpy as np
import pytest
from bundles import SMALL, edited, parts_of, rows, with_json, zipped

from iwae_core.runtime import kept_bundle
from iwae_core.runtime.kept_archive import MOST_BYTES
from iwae_core.runtime.kept_bundle import Bundle
from iwae_core.runtime.kept_curves import CURVES
from iwae_core.runtime.kept_pair_bundle import STRIP, PairBundle, pack, unpack
from iwae_core.runtime.lineage import Lineage, replay
from iwae_core.runtime.twins import TwinRun

A = dataclasses.replace(SMALL, objective="elbo", estimator="closed_form_kl", n_samples=1)
STEP = 6


def side(config, change):
    lineage = Lineage(config).changed(3, change)
    curves = tuple(rows([2, 6], len(columns)) for columns in CURVES)
    return Bundle(name="two", lineage=lineage, state=replay(lineage, STEP), curves=curves)


@pytest.fixture(scope="module")
def pair():
    strip = np.abs(rows([2, 6], len(STRIP) - 1))
    first, second = side(A, {"learning_rate": 0.01}), side(SMALL, {"n_samples": 9})
    return PairBundle(sides=(first, second), strip=strip)


@pytest.fixture(scope="module")
def packed(pair):
    return pack(pair, ("print('a')", "print('b')"))


def exchanged(data, name, change):
    """The file with one of its parts changed."""
    parts = parts_of(data)
    return zipped(parts | {name: change(parts[name])})


def without(data, name):
    return zipped({part: content for part, content in parts_of(data).items() if part != name})


def with_line(data, *cells):
    line = ",".join(map(str, cells)) + "\n"
    return exchanged(data, "pair.csv", lambda text: text + line.encode())


def seed_of_both(data, seed):
    """B with another seed, in each of its sheets."""
    data = edited(data, ["past", "config", "seed"], seed)
    return edited(data, ["config", "seed"], seed, "state.json")


FINE = [0.1] * (len(STRIP) - 1)
BROKEN = {
    "no zip": (lambda data: b"hello" * 100, "not a whole .zip"),
    "cut off": (lambda data: data[: len(data) // 2], "not a whole .zip"),
    "too large": (lambda data: bytes(MOST_BYTES + 1), "50 are taken"),
    "a bomb": (
        lambda data: zipped(parts_of(data) | {"pair.csv": bytes(101_000_000)}),
        "more than 100 MB",
    ),
    "a bomb within": (
        lambda data: exchanged(
            data, "B.zip", lambda b: zipped(parts_of(b) | {"reproduce.py": bytes(101_000_000)})
        ),
        r"B\.zip: unpacked, .* more than 100 MB",
    ),
    "a path that climbs": (
        lambda data: zipped(parts_of(data) | {"../A.zip": b""}),
        r"no pair has: '\.\./A\.zip'",
    ),
    "a path that climbs within": (
        lambda data: exchanged(
            data, "A.zip", lambda a: zipped(parts_of(a) | {"../../etc/passwd": b""})
        ),
        r"A\.zip: the file has a part that no run has",
    ),
    "only A": (lambda data: without(data, "B.zip"), r"lacks B\.zip"),
    "only B": (lambda data: without(data, "A.zip"), r"lacks A\.zip"),
    "no table": (lambda data: without(data, "pair.csv"), r"lacks pair\.csv"),
    "a single run": (lambda data: parts_of(data)["A.zip"], "a single run: import it on the page"),
    "a pair in a pair": (
        lambda data: exchanged(data, "A.zip", lambda a: data),
        r"A\.zip: this is a pair",
    ),
    "a broken half": (
        lambda data: exchanged(data, "B.zip", lambda b: b[:300]),
        r"B\.zip: this is not a whole .zip",
    ),
    "a tampered half": (
        lambda data: exchanged(data, "B.zip", lambda b: edited(b, ["past", "config", "seed"], 5)),
        r"B\.zip: .* two different runs",
    ),
    "halves of other starts": (
        lambda data: exchanged(data, "B.zip", lambda b: seed_of_both(b, 5)),
        "twins share data, networks, seed and batch size",
    ),
    "halves of two names": (
        lambda data: exchanged(data, "B.zip", lambda b: edited(b, ["name"], "three")),
        "a pair has one",
    ),
    "other columns": (
        lambda data: exchanged(data, "pair.csv", lambda text: b"step,a\n1,2\n"),
        "must have the columns",
    ),
    "an empty table": (lambda data: exchanged(data, "pair.csv", lambda text: b""), r"pair\.csv"),
    "no text": (lambda data: exchanged(data, "pair.csv", lambda text: b"\xff"), "cannot be read"),
    "too few cells": (lambda data: with_line(data, 6, 1), r"line 4 .* 2 cells"),
    "a row beyond the pair": (lambda data: with_line(data, 7, *FINE), "line 4 .* out of order"),
    "a row too late": (lambda data: with_line(data, 1, *FINE), "line 4 .* out of order"),
    "not finite": (lambda data: with_line(data, 6, "inf", *FINE[1:]), "line 4 .* not finite"),
    "nan": (lambda data: with_line(data, 6, "nan", *FINE[1:]), "line 4 .* not finite"),
    "no number": (lambda data: with_line(data, 6, "x", *FINE[1:]), "line 4 of pair.csv"),
    "a negative error": (
        lambda data: with_line(data, 6, *FINE[:5], -0.1, *FINE[6:]),
        "an error is negative",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_refused_with_one_sentence(packed, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    break_it, told = BROKEN[kind]
    with pytest.raises(ValueError, match=told) as refusal:
        unpack(break_it(packed))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600
    assert list(tmp_path.iterdir()) == []


def test_halves_at_two_steps_are_no_pair(pair):
    first, second = pair.sides
    later = dataclasses.replace(second, state=replay(second.lineage, STEP + 1))
    with pytest.raises(ValueError, match="A stands at step 6 and B at step 7"):
        unpack(pack(dataclasses.replace(pair, sides=(first, later)), ("", "")))


def test_a_pair_is_refused_where_a_run_is_asked_for_and_its_halves_are_not(packed):
    with pytest.raises(ValueError, match="a pair of runs: import it on the page Twins"):
        kept_bundle.unpack(packed)
    assert kept_bundle.unpack(parts_of(packed)["B.zip"]).state.step == STEP
    named = with_json(parts_of(packed)["B.zip"], "run.json", lambda run: run)
    assert kept_bundle.unpack(named).name == "two"


def test_what_goes_out_comes_in_as_a_pair_and_goes_on_to_the_bit(world, pair, packed):
    pairs = world.keeper.pairs
    pairs._start = lambda one, other, owner: TwinRun(one, other, world.pool, slice_seconds=0.005)
    records = pairs.take_in(unpack(packed), "me")
    assert pairs.of("me") == [records]
    assert [(record.name, record.step) for record in records] == [("two", STEP)] * 2
    assert world.keeper.of("me") == []  # among single runs there is none
    live = pairs.reopen(records, "me")
    world.finish()
    assert live.status().mode == "paused"
    for state, one in zip(live.states, pair.sides, strict=True):
        assert np.array_equal(state.parameters, one.state.parameters)
        assert np.array_equal(state.second_moment, one.state.second_moment)
    assert np.array_equal(live.look()[1].held_out, pair.strip)
    live.step(4)
    world.finish()
    for state, one in zip(live.states, pair.sides, strict=True):
        expected = replay(one.lineage, STEP + 4)
        assert state.step == expected.step
        assert np.array_equal(state.parameters, expected.parameters)
    world.keeper.flush()
    again = unpack(pack(pairs.bundle(records), ("", "")))  # and out, where it stands now
    assert [one.state.step for one in again.sides] == [STEP + 4] * 2
    assert again.strip[:, 0].tolist() == [2, 6, 10]


def test_it_counts_as_two_where_there_is_little_room(world, packed):
    pairs, keeper = world.keeper.pairs, world.keeper
    pairs.take_in(unpack(packed), "me")  # the tests' limit: three
    assert keeper.usage("me").n_kept == 2
    with pytest.raises(ValueError, match="2 of 3 runs are kept; delete one first"):
        pairs.take_in(unpack(packed), "me")
    assert len(pairs.of("me")) == 1


def test_on_a_full_disk_no_half_of_it_stays(world, packed, monkeypatch):
    store, n_kept = world.keeper.store, []
    keep = store.keep

    def full(run_id, state, seen):
        if n_kept:
            raise OSError("no space left on device")
        n_kept.append(run_id)
        keep(run_id, state, seen)

    monkeypatch.setattr(store, "keep", full)
    with pytest.raises(OSError, match="no space left"):
        world.keeper.pairs.take_in(unpack(packed), "me")
    assert store.groups("me") == []
    assert list(store.folder.iterdir()) == []
