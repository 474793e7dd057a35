"""What the scenes of the page *Train* say is what three seeds show."""

import json

import pytest

from iwae_core.places import ASSETS
from iwae_core.ui.training_presets import PRESETS

ROWS = [
    json.loads(line)
    for line in (ASSETS / "evidence" / "train_scenes.jsonl").read_text("utf-8").splitlines()
]
SEEDS = sorted({row["seed"] for row in ROWS})


def at(scene, step, name):
    """One number of a scene at every seed."""
    found = {
        row["seed"]: row[name] for row in ROWS if (row["scene"], row["step"]) == (scene, step)
    }
    assert sorted(found) == SEEDS
    return [found[seed] for seed in SEEDS]


def above(one, other, step, name):
    """How far one scene lies above another, seed by seed."""
    pairs = zip(at(one, step, name), at(other, step, name), strict=True)
    return [a - b for a, b in pairs]


def says(scene, *parts):
    why = PRESETS[scene].why
    assert all(part in why for part in parts), why


def test_three_seeds_and_every_scene():
    assert len(SEEDS) == 3
    assert {row["scene"] for row in ROWS} == {*PRESETS, "few exact"}


def test_the_iwae_and_the_vae():
    says("iwae", "3,000", "0.4 nats above", "half a nat below")
    assert above("iwae", "vae", 3000, "bound_64") == pytest.approx([0.4] * 3, abs=0.05)
    assert above("vae", "iwae", 3000, "bound_1") == pytest.approx([0.5] * 3, abs=0.12)
    says("vae", "half a nat apart")
    for step in (1500, 3000):
        gaps = [
            most - one
            for one, most in zip(
                at("vae", step, "bound_1"), at("vae", step, "bound_64"), strict=True
            )
        ]
        assert gaps == pytest.approx([0.5] * 3, abs=0.07)
    says("manifold", "1,500 steps", "about a nat below")
    assert above("iwae", "manifold", 1500, "bound_64") == pytest.approx([1] * 3, abs=0.15)


def test_many_samples_and_what_helps_the_encoder():
    plain = at("many", 600, "bound_1")
    says("many", "after 600 steps", "between \N{MINUS SIGN}25 and \N{MINUS SIGN}26")
    assert all(-26.1 < bound <= -25 for bound in plain)
    says("landing", "1.3 to 2.2 nats above", "a little")
    gained = above("landing", "many", 600, "bound_1")
    assert (min(gained), max(gained)) == pytest.approx((1.3, 2.2), abs=0.05)
    assert all(0 < gain < 0.3 for gain in above("landing", "many", 600, "bound_64"))
    says("piwae", "at \N{MINUS SIGN}24.0", "below \N{MINUS SIGN}25.")
    assert at("piwae", 600, "bound_1") == pytest.approx([-24.0] * 3, abs=0.08)
    says("few", "that of the whole backward pass", "0.3 to 1 nat lower")
    assert above("few", "few exact", 600, "bound_64") == pytest.approx([0] * 3, abs=0.1)
    lost = above("few exact", "few", 600, "bound_1")
    assert (min(lost), max(lost)) == pytest.approx((0.3, 1.0), abs=0.06)


def kl(scene, step, layer=slice(0, 8)):
    """KL of each latent at every seed."""
    return [sorted(row[layer]) for row in at(scene, step, "kl_per_dim")]


def test_what_the_latents_carry():
    says("powerful", "three or four of the eight")
    assert {sum(each < 0.07 for each in row) for row in kl("powerful", 6000)} == {3, 4}
    says("warm_up", "all eight", "twice as much")
    assert all(row[0] > 0.4 for row in kl("warm_up", 6000))
    ratios = [
        sum(helped) / sum(alone)
        for helped, alone in zip(kl("warm_up", 6000), kl("powerful", 6000), strict=True)
    ]
    assert ratios == pytest.approx([2] * 3, abs=0.1)
    says("free_bits", "between 0.5 and 0.7")
    assert all(row[0] > 0.5 and row[-1] <= 0.7 for row in kl("free_bits", 3000))
    says("beta", "All eight", "1,500 steps")
    assert at("beta", 1500, "active") == [0, 0, 0]
    says("two_layers", "up to half")
    unused = [sum(each < 0.05 for each in row) for row in kl("two_layers", 3000, slice(8, 12))]
    assert max(unused) == 2
    assert min(unused) < 2


def test_points_and_a_rate_that_is_too_high():
    says("pinwheel", "the solid curve rises", "falls meanwhile")
    for name, sign in (("bound_64", 1), ("bound_1", -1)):
        pairs = zip(at("pinwheel", 1500, name), at("pinwheel", 3000, name), strict=True)
        assert all(sign * (late - early) > 0 for early, late in pairs)
    says("drawing", "one sample in five")
    assert at("drawing", 3000, "stray") == pytest.approx([0.2] * 3, abs=0.02)
    says("too_fast", "the first step")
    stops = [row["stop"] for row in ROWS if row["scene"] == "too_fast"]
    assert len(stops) == 3
    assert all("no longer finite" in stop for stop in stops)
