"""The two smallest scripts: they differ where they should, and print honest figures."""

import contextlib
import difflib
import io
import re

import pytest

from iwae_core.places import ASSETS

SOURCES = {
    name: (ASSETS / "code" / f"side_by_side_{name}.py").read_text("utf-8")
    for name in ("vae", "iwae")
}


def values(source, **constants):
    for name, value in constants.items():
        source, n = re.subn(rf"^{name} = \d+", f"{name} = {value}", source, flags=re.MULTILINE)
        assert n == 1
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "script", "exec"), {"__name__": "__main__"})
    return {name: float(value) for name, value in re.findall(r"(\w+) = (\S+)", out.getvalue())}


def test_they_differ_in_k_and_in_the_line_of_the_bound():
    lines = difflib.ndiff(SOURCES["vae"].splitlines()[1:], SOURCES["iwae"].splitlines()[1:])
    changed = [line for line in lines if line[0] in "+-"]
    assert [line[2:] for line in changed] == [
        "K = 1  # samples per datapoint",
        "K = 5  # samples per datapoint",
        "    bound = log_p_x.mean(0) - distributions.kl_divergence(q, prior).sum(-1)",
        "    bound = log_mean_exp(log_w)",
    ]


@pytest.mark.parametrize("name", SOURCES)
def test_each_runs_as_it_stands_and_learns(name):
    before, after = (values(SOURCES[name], N_STEPS=n) for n in (0, 60))
    assert set(after) == {"held_out_L_1", "held_out_L_64"}
    assert after["held_out_L_1"] <= after["held_out_L_64"] < -20
    assert after["held_out_L_64"] > before["held_out_L_64"] + 5
    assert values(SOURCES[name], N_STEPS=60) == after


def test_one_sample_makes_them_the_same_bound_in_the_mean():
    # K = 1: log p(x | z) + log p(z) - log q(z | x) against its mean with a closed-form KL.
    import torch

    space = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(
            compile(re.sub("N_STEPS = 1000", "N_STEPS = 40", SOURCES["iwae"]), "s", "exec"), space
        )
    with torch.no_grad():
        x = space["x"][:20]
        generator = torch.Generator().manual_seed(0)
        q, log_p_x, log_w = space["weigh"](x, 4000, generator)
        log_ratio = log_w - log_p_x
        kl = torch.distributions.kl_divergence(q, space["prior"]).sum(-1)
    error = log_ratio.std(dim=0) / 4000**0.5
    # 20 datapoints: |z| > 5 by chance 1e-5
    assert ((log_ratio.mean(dim=0) + kl).abs() < 5 * error).all()
