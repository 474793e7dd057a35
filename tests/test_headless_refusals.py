"""What iwae-lab train and evaluate refuse: one sentence, code 2, no traceback and no usage."""

import pytest
from commands import SMALL, train

from iwae_core import cli, headless, headless_options, training


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--objective", "iwea"], "did you mean 'iwae'"),
        (["--n-samples", "0"], "n_samples must be"),
        (["--dataset", "mnist", "--data-folder", "/nowhere"], "/nowhere"),
        (["--dataset", "upload." + 32 * "0"], "This table is not on this machine"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_code_2(tmp_path, capsys, options, said):
    assert train(tmp_path / "run", *options, "--steps", "1") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not (tmp_path / "run" / "state.json").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--n-samples", "two"], "argument --n-samples: needs a whole number, got 'two'"),
        (["--learning-rate", "x"], "argument --learning-rate: needs a number, got 'x'"),
        (["--hidden", "9,a"], "commas between, such as 200,200, got '9,a'"),
        (["--epochs", "0"], "argument --epochs: needs a whole number of at least 1, got '0'"),
        (["--patience", "x"], "argument --patience: needs a whole number, got 'x'"),
    ],
)
def test_text_that_is_no_value_is_one_sentence_without_the_usage(given, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as refused:
        train(tmp_path, *given)
    assert refused.value.code == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
    assert shown.startswith("iwae-lab train: ")


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path, capsys):
    place = tmp_path / "a file"
    place.touch()
    assert train(place, *SMALL, "--steps", "1") == headless.EXIT_REFUSED
    shown = capsys.readouterr().err
    assert shown == f"iwae-lab: cannot use {place}: File exists\n"


@pytest.mark.parametrize(
    "fault",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 bytes")],
)
def test_a_network_too_large_for_the_machine_is_one_sentence(fault, tmp_path, capsys, monkeypatch):
    def begin(config):
        raise fault

    monkeypatch.setattr(training, "begin", begin)
    assert train(tmp_path, *SMALL, "--steps", "1") == headless.EXIT_REFUSED
    assert "too little memory" in capsys.readouterr().err
    monkeypatch.setattr(training, "begin", lambda config: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(tmp_path, *SMALL, "--steps", "1")


def test_a_folder_without_a_run_is_said_to_be_one(tmp_path, capsys):
    assert cli.main(["evaluate", str(tmp_path / "nowhere")]) == headless.EXIT_REFUSED
    assert "holds no state.json" in capsys.readouterr().err


def test_every_setting_is_explained():
    assert headless_options.MEANINGS.keys() == headless_options.FIELDS.keys()
