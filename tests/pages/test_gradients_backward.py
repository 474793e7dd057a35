"""The lesson on gradients, its part on fewer samples backward: numbers sent, printed and timed."""

import re

import harness
import numpy as np
import pytest
import torch

from iwae_core.evaluation.studies import backward_cost
from iwae_core.evaluation.studies.backward_cost import BackwardCostConfig, BackwardCostReport
from iwae_core.ui import gradients_backward, gradients_timing, jobs

NAME = "gradients"


pytestmark = pytest.mark.usefixtures("workers")


@pytest.mark.parametrize("name", ["shifted", "poor"])
def test_the_shipped_ways_backward_are_those_of_the_study(name):
    shipped = jobs.shipped(BackwardCostReport, f"gradients_backward_{name}")
    fresh = backward_cost.run(BackwardCostConfig(**dict(backward_cost.SCENES[name].settings)))
    assert [(m.name, f"{m.setting:g}") for m in shipped.modes] == [
        (way.partition("_")[0], way.partition("_")[2] or "0") for way in gradients_backward.WAYS
    ]
    for one, other in zip(shipped.modes, fresh.modes, strict=True):
        assert one.touched == pytest.approx(other.touched, rel=1e-6)
        np.testing.assert_allclose(one.added, other.added, rtol=1e-5, atol=1e-12)
        np.testing.assert_allclose(one.bias, other.bias, rtol=1e-5, atol=1e-10)


def test_errors_of_a_group_are_lengths_over_lengths():
    report = jobs.shipped(BackwardCostReport, "gradients_backward_poor")
    found, at = gradients_backward.by_group(report), gradients_backward.WAYS.index("resampled_4")
    mode, exact = report.modes[at], report.modes[0]
    noise = np.hypot(report.std[2], report.std[3])
    differences = mode.added[2:] * exact.std[2:]  # root mean squares
    assert found["added"][at, 1] == pytest.approx(np.hypot(*differences) / noise)
    assert found["bias"][at, 1] == pytest.approx(np.hypot(*mode.bias[2:]) / noise)
    assert found["of_mean"][at, 1] == pytest.approx(
        np.hypot(*mode.bias[2:]) / np.hypot(*report.mean[2:])
    )
    good = gradients_backward.by_group(
        jobs.shipped(BackwardCostReport, "gradients_backward_good")
    )["of_mean"]
    assert good[0].tolist() == [0, 0]
    assert np.isinf(good[1:, 0]).all()  # the mean there is zero


@pytest.mark.parametrize("way", ["exact", "truncated_0.5", "resampled_1"])
def test_the_page_sends_the_ways_backward(way):
    app = harness.open_page(NAME, part="backward", way=way, answer_backward="heaviest")
    harness.assert_no_error(app)
    meta, arrays = harness.scene(app, "backward")
    assert meta["state"] == {"way": way}
    assert meta["times"] is None
    report = jobs.shipped(BackwardCostReport, "gradients_backward_shifted")
    np.testing.assert_allclose(arrays["touched"], [mode.touched for mode in report.modes])
    assert any("of the samples hold 99 % of the weight" in text for text in harness.prose(app))


def test_times_are_measured_by_a_worker_when_asked_for():
    app = harness.open_page(NAME, part="backward", draws=5, shift=2.0)
    harness.until(app, lambda: harness.scene(app, "backward"))
    (start,) = [button for button in app.button if button.label.startswith("Measure the time")]
    start.click().run()
    harness.until(app, lambda: harness.scene(app, "backward")[0]["times"])
    times = harness.scene(app, "backward")[0]["times"]
    assert times["steps"] == list(gradients_timing.N_STEPS)
    assert np.array(times["ms"]).shape == (2, 3)
    assert (np.array(times["ms"]) > 0).all()
    assert all(1 / 5 <= share <= 1 for share in times["needed"])
    assert re.fullmatch(r"\d\d:\d\d:\d\d", times["at"])
    assert [button.label for button in app.button if "Measure" in button.label] == [
        "Measure again"
    ]


def test_the_share_that_holds_the_weight_is_counted_by_hand():
    log_w = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.25] * 4], dtype=torch.float64).log().T
    # First column: 2 of 4 hold 0.75; second: 3 of 4 hold 0.75.
    assert gradients_timing.share_needed(log_w, 0.26) == pytest.approx((2 + 3) / 8)
    assert gradients_timing.share_needed(log_w, 0.0) == 1


def test_the_script_on_ways_backward_prints_the_pages_numbers(capsys):
    config = BackwardCostConfig(shift=0.6, n_samples=10)
    script = gradients_backward.script(config).partition("# %%\nmodel")[0]
    exec(compile(script, "script", "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    for mode in backward_cost.run(config).modes:
        line = f"{mode.name}_{mode.setting:g}: backward through {100 * mode.touched:.3g} %"
        assert line in printed
        assert f"added error {mode.added[0]:.6g} and {mode.added[2]:.6g}" in printed
