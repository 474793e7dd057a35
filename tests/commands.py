"""What the tests of `iwae-lab train` and `evaluate` share."""

import csv
import json

import numpy as np

from iwae_core import cli

SMALL = ["--dataset", "moons", "--hidden", "8", "--latent-dim", "2", "--batch-size", "50"]


def train(folder, *more):
    return cli.main(["train", "--out", str(folder), *more])


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def curve(folder):
    with (folder / "curve.csv").open() as file:
        return np.array(list(csv.reader(file))[1:], dtype=float)


def assert_same_curve(one, other):
    """Equal rows; recorded means, on which nothing depends, to a float32's last digits."""
    np.testing.assert_allclose(curve(one), curve(other), rtol=1e-6)
