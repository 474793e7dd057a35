"""The script that trains Burda's table: its runs survive a kill, its table says what was run."""

import argparse
import json
import signal
import subprocess
import sys

import burda_published
import burda_table
import numpy as np
import patience
import pytest
import step_share
import torch
from emulated_graphs import Emulator
from safetensors.numpy import load_file

from iwae_core.places import APP
from iwae_core.training import TrainConfig, begin

SCRIPT = APP / "benchmarks" / "burda_table.py"
ROW = ["--rows", "1:1:iwae:digits", "--stretch", "0.001", "--images", "50", "--samples", "20"]


# The script, killed as it is about to save for the second time: from outside a kill may be late.
KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv.pop(1))
import burda_table
real, saved = burda_table.save, []
def save(*given):
    if saved:
        os.kill(os.getpid(), signal.SIGKILL)
    saved.append(real(*given))
burda_table.save = save
burda_table.main()
"""


def run(monkeypatch, folder):
    monkeypatch.setattr(step_share, "TIMED_SECONDS", 0.0)
    arguments = [*ROW, "--folder", str(folder), "--save-seconds", "5", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    burda_table.main()


def final_arrays(folder):
    (path,) = folder.glob("*/state-*.safetensors")
    return load_file(path)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_bits_of_one_that_was_not(monkeypatch, tmp_path, capsys):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [*ROW, "--folder", str(killed), "--save-seconds", "0.02", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(SCRIPT.parent), *command],
        stderr=subprocess.DEVNULL,
        timeout=patience.SECONDS,
    )
    assert done.returncode == -signal.SIGKILL
    reached = [json.loads(p.read_text())["step"] for p in killed.glob("*/state.json")]
    assert 0 < max(reached) < 300
    run(monkeypatch, killed)
    run(monkeypatch, whole)
    after_kill, undisturbed = final_arrays(killed), final_arrays(whole)
    assert after_kill.keys() == undisturbed.keys()
    for name, values in undisturbed.items():
        np.testing.assert_array_equal(after_kill[name], values, err_msg=name)
    row = json.loads((whole / "table.json").read_text())[0]
    assert (row["epochs"], row["images"], row["L_K"]) == (4, 50, 20)
    assert row["published_nll"] is None, "nobody published the digits"
    assert 0 < row["share_in_products"] < 1
    assert 20 < row["nll"] < 45  # 64 fair coins would cost 44.4 nats
    assert "## digits" in (whole / "table.md").read_text()
    assert "3,280 epochs" in (whole / "table.html").read_text()


def test_products_are_taken_down_with_their_operands():
    a, b = torch.ones(2, 3), torch.ones(3, 4, requires_grad=True)
    with step_share.Products() as products:
        (a @ b).sum().backward()
    assert [func.overloadpacket for func, _ in products.calls] == [torch.ops.aten.mm] * 2


def test_the_share_of_products_is_taken_from_recorded_steps_too(monkeypatch):
    # By the emulation of CUDA graphs, whose times mean nothing.
    emulator = Emulator()
    emulator.install(monkeypatch)
    monkeypatch.setattr(step_share, "TIMED_SECONDS", 0.0)
    state = begin(TrainConfig(hidden=(20,), latent_dim=3, n_samples=4, batch_size=20))
    step_ms, share = step_share.share_in_products(state, capture=True)
    assert step_ms > 0
    assert share > 0
    products, step = emulator.graphs  # recorded in this order
    kinds = {func.overloadpacket for func, *_ in products.calls}
    assert kinds <= {torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm}
    assert 0 < len(products.calls) < len(step.calls)


def test_the_published_table_is_consistent():
    # At K = 1 the VAE and the IWAE are one model, and the paper's IWAE gains with every K.
    for dataset in ("mnist", "mnist_fixed"):
        vae, iwae = (
            burda_published.PUBLISHED[dataset, "elbo"],
            burda_published.PUBLISHED[dataset, "iwae"],
        )
        for n_layers in (1, 2):
            assert vae[n_layers, 1] == iwae[n_layers, 1]
            nll = [iwae[n_layers, K][0] for K in (1, 5, 50)]
            assert nll == sorted(nll, reverse=True)
            assert all(iwae[n_layers, K][0] < vae[n_layers, K][0] for K in (5, 50))


@pytest.mark.parametrize("row", ["1:5:iwae", "one:5:iwae:mnist", "1:5:iwae:mnist:x"])
def test_a_row_that_is_none_is_refused_with_an_example(row):
    with pytest.raises(argparse.ArgumentTypeError, match="such as 1:5:iwae:mnist"):
        burda_table.parse_row(row)
