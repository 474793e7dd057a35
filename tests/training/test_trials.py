"""Trials: training and measuring piece by piece gives what one go gives."""

import numpy as np
import pytest

from iwae_core import datasets
from iwae_core.evaluation.studies import use_cases
from iwae_core.training import TrainConfig, advance, begin, model_of, trials
from iwae_core.training.trials import Trial, carry_on, carry_out

CONFIG = TrainConfig(
    dataset="digits", hidden=(8,), latent_dim=2, n_samples=100, batch_size=50, seed=3
)


@pytest.fixture
def quick(monkeypatch):
    """Two cheap measurements in place of the five uses."""

    def bound(model, data):
        return {"L_5": use_cases.bound(model, use_cases.held_out(data)[:20], 5)}

    def units(model, data):
        return {"units": np.array(float(model.latent_dim))}

    monkeypatch.setitem(trials.MEASURES, "quick", {"bound": bound, "units": units})


def test_pieces_give_what_one_go_gives(quick):
    trial = Trial(config=CONFIG, n_steps=45, measures="quick")
    shares = [trial.share]
    while not trial.done:
        trial = carry_on(trial)
        shares.append(trial.share)
    assert len(shares) == 1 + 3 + 2  # 20 steps of K = 100 a piece, then each measurement
    assert (np.diff(shares) > 0).all()
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    state = advance(begin(CONFIG), 45).state
    assert np.array_equal(trial.state.parameters, state.parameters)
    x = use_cases.held_out(datasets.load("digits"))[:20]
    np.testing.assert_array_equal(trial.found["L_5"], use_cases.bound(model_of(state), x, 5))
    assert trial.found["units"] == 2
    assert carry_on(trial) is trial


def test_the_boards_rulers_are_the_bounds_of_the_held_out_set(monkeypatch):
    monkeypatch.setattr(trials, "BOARD_K", (1, 16))
    trial = carry_out(Trial(config=CONFIG, n_steps=1, measures="bounds"))
    assert set(trial.found) == {"L_1", "L_16"}
    model, x = model_of(trial.state), use_cases.held_out(datasets.load("digits"))
    np.testing.assert_array_equal(trial.found["L_16"], use_cases.bound(model, x, 16))


def test_a_trial_that_diverges_says_so(quick):
    config = TrainConfig(
        dataset="moons", hidden=(8,), latent_dim=2, learning_rate=0.999, beta=1e38
    )
    with pytest.raises(ValueError, match="stopped at step"):
        carry_out(Trial(config=config, n_steps=300, measures="quick"))


def test_bad_trials_are_refused():
    with pytest.raises(ValueError, match="n_steps"):
        Trial(config=CONFIG, n_steps=-1)
    with pytest.raises(ValueError, match="list of measures"):
        Trial(config=CONFIG, n_steps=1, measures="all")
