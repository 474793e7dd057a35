"""What runs are called, how they stand in a tree, and where they parted."""

import pytest

from iwae_core.runtime.lineage import Lineage
from iwae_core.runtime.store_record import Record, lineage_to_json
from iwae_core.training import Stop, TrainConfig
from iwae_core.ui.kept_list import table
from iwae_core.ui.kept_titles import Leaf, common_ancestor, title, tree

PAST = lineage_to_json(Lineage(TrainConfig()))


def record(run_id, parent=None, step=None, past=PAST, **fields):
    return Record(
        id=run_id,
        owner="me",
        parent_id=parent,
        parent_step=step,
        created=0.0,
        updated=0.0,
        past=past,
        **fields,
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "from step 1,200"),
        ({"n_samples": 50}, "K = 50 from step 1,200"),
        (
            {"n_samples": 1, "objective": "elbo", "estimator": "closed_form_kl"},
            "K = 1, ELBO (VAE) from step 1,200",
        ),
        ({"learning_rate": 0.002, "beta": 4.0}, "rate = 0.002, beta = 4 from step 1,200"),
        ({"kl_schedule": "linear"}, "kl schedule = linear from step 1,200"),
    ],
)
def test_a_branch_is_called_by_what_it_does_differently_where_it_parts(values, told):
    lineage = Lineage(TrainConfig()).changed(1, {"n_samples": 7})
    if values:
        lineage = lineage.changed(1200, values)
    past = lineage_to_json(lineage.changed(1300, {"n_samples": 2}))
    assert title(record("a", "b", 1200, past)) == told
    assert title(record("a", "b", 1200, past, name="mine")) == "mine"


def test_a_run_that_nobody_named_is_called_by_what_it_is():
    assert title(record("a")) == "IWAE, K = 5 on Digits 8x8"
    unknown = {"config": {"dataset": "upload.0123", "objective": "gone"}, "changes": []}
    assert title(record("a", past=unknown)) == "a run, K = None on upload"


def test_branches_stand_below_their_run_and_orphans_on_top():
    family = (record("d", "gone", 3), record("c", "b", 9), record("b", "a", 5), record("a"))
    found = tree([*family, record("e")])
    assert [(leaf.record.id, leaf.depth) for leaf in found] == [
        *(("d", 0), ("a", 0), ("b", 1), ("c", 2), ("e", 0))
    ]


@pytest.mark.parametrize(
    ("chosen", "step"),
    [
        ("ab", 5),
        ("bc", 9),
        ("ac", 5),
        ("cd", 3),
        ("abcd", 3),
        ("ae", None),
        ("a", None),
        ("fd", 3),
    ],
)
def test_runs_part_where_their_pasts_do(chosen, step):
    family = {
        each.id: each
        for each in (
            record("a"),
            record("b", "a", 5),
            record("c", "b", 9),
            record("d", "a", 3),
            record("e"),
            record("f", "c", 4),  # forked before its parent parted from b
        )
    }
    assert common_ancestor([family[i] for i in chosen], list(family.values())) == step


def test_the_table_shows_a_strangers_words_as_words_and_why_a_run_stopped():
    evil = record(
        "a" * 22, name="<img src=x onerror=alert(1)>", bound_64=-2.5, stop=Stop(8, "no <b> step")
    )
    html = table([Leaf(evil, 0)], evil.id, now=100.0)
    assert "<img" not in html
    assert "&lt;img" in html
    assert "stopped: no &lt;b&gt; step" in html
    assert f'href="train?run={"a" * 22}"' in html
    assert "\N{MINUS SIGN}2.50" in html
    assert 'aria-current="true"' in html
