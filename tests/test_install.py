"""What `make` says where it cannot install: one clear sentence, never a traceback."""

import os
import shutil
import subprocess
import sys

import patience
import pytest

from iwae_core.places import APP

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")


@pytest.fixture
def bare_path(tmp_path):
    """A PATH with a shell and its few commands, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for command in ("sh", "rm", "touch", "sed"):
        (folder / command).symlink_to(shutil.which(command))
    return folder


def install(tmp_path, path, *arguments, **environment):
    return subprocess.run(
        ["sh", str(APP / ".ci" / "install"), *arguments],
        cwd=tmp_path,
        env={"PATH": str(path), "VENV": "venv", "HOME": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
    )


def script(path, body):
    path.write_text(f"#!{shutil.which('sh')}\n{body}\n")
    path.chmod(0o755)
    return path


def assert_sentence(done, words):
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("IWAE Lab: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_no_python_is_said(tmp_path, bare_path):
    done = install(tmp_path, bare_path)
    assert_sentence(done, "needs Python 3.11 or newer, and none was found")
    assert done.stderr.count("\n") == 1


def test_a_python_that_is_too_old_or_a_broken_shim_is_passed_over(tmp_path, bare_path):
    script(bare_path / "python3", "exit 1")  # says no to the version question
    script(bare_path / "python3.12", "echo 'not installed' >&2; exit 127")
    assert_sentence(install(tmp_path, bare_path), "needs Python 3.11 or newer")


def test_a_python_without_venv_is_said(tmp_path, bare_path):
    python = script(bare_path / "python3", '[ "$1" = -c ] && exit 0; exit 1')
    done = install(tmp_path, bare_path, PYTHON=str(python))
    assert_sentence(done, "cannot make a virtual environment")
    assert "python3-venv" in done.stderr


@pytest.mark.slow
def test_a_failed_download_is_said_and_leaves_no_stamp(tmp_path, bare_path):
    (tmp_path / "requirements.lock").write_text("a-package-that-is-not-there==1.0\n")
    away = {"PYTHON": sys.executable, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    log = tmp_path / "venv" / "install.log"
    done = install(tmp_path, os.environ["PATH"], **away)
    assert_sentence(done, "the packages could not be installed")
    assert "a-package-that-is-not-there" in log.read_text()
    assert not (tmp_path / "venv" / ".ready").exists()
    # `make lock`: the old pins stay.
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "a"\nversion = "1"\n[build-system]\nrequires = ["not-there"]\n'
    )
    done = install(tmp_path, os.environ["PATH"], "lock", **away)
    assert_sentence(done, "the requirements could not be resolved")
    assert "not-there" in log.read_text()
    assert (tmp_path / "requirements.lock").read_text() == "a-package-that-is-not-there==1.0\n"


def test_every_requirement_is_pinned_and_no_address_is_written():
    lines = (APP / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 50
    assert all(line.count("==") == 1 for line in pins)
    assert "torch==2.13.0" in pins
    for name in ("requirements.lock", "Makefile", "pyproject.toml", ".ci/install", ".ci/run"):
        text = (APP / name).read_text()
        assert "index-url" not in text
        assert "find-links" not in text


def test_a_benchmark_that_fails_is_named_and_stops_none(tmp_path):
    make = shutil.which("make")
    if make is None:
        pytest.skip("needs make")
    tools = tmp_path / "venv" / "bin"
    tools.mkdir(parents=True)
    script(tools / "python", 'echo "$1"; case "$1" in *ais*) exit 1;; esac')
    (tmp_path / "venv" / ".ready").touch()  # newer than what is to be installed
    done = subprocess.run(
        [make, "bench", f"VENV={tmp_path / 'venv'}"],
        cwd=APP,
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
    )
    assert done.returncode == 2
    assert "These failed: benchmarks/ais_sandwich.py\n" in done.stderr
    ran = [line.removeprefix("benchmarks/").removesuffix(".py") for line in done.stdout.split()]
    assert {"ais_sandwich", "backward_quality", "train_step"} <= set(ran)
    # Parts of others, and what writes files that the app ships.
    assert not {"figures", "burda_published", "page_moves", "save_layers"} & set(ran)
