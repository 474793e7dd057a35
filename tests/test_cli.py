"""The iwae-lab command: help, version, and one clear sentence where it cannot start."""

import socket
import subprocess
import sys

import patience
import pytest
import serving

from iwae_core import __version__, cli


def run(*arguments):
    return subprocess.run(
        [*serving.lab_command(8501)[:1], *arguments],
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
    )


def test_help_and_version():
    shown = run("--help")
    assert shown.returncode == 0
    for option in ("--port", "--host", "--version"):
        assert option in shown.stdout
    assert run("--version").stdout.strip() == f"iwae-lab {__version__}"


def test_the_version_is_the_projects():
    import tomllib

    from iwae_core.places import APP

    project = tomllib.loads((APP / "pyproject.toml").read_text())["project"]
    assert __version__ == project["version"]


def test_a_port_in_use_is_one_sentence_and_code_2():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run("--port", str(port))
    assert done.returncode == cli.EXIT_CANNOT_SERVE == 2
    assert done.stderr.count("\n") == 1
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr
    assert not done.stdout


def test_a_host_that_is_not_this_machine_is_one_sentence(capsys):
    assert cli.main(["--host", "no-such-host.invalid"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert cli.main(["--host", "192.0.2.1"]) == 2  # a documentation address: never ours
    assert "cannot listen on 192.0.2.1:8501" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "8.5"])
def test_a_port_that_is_no_port_is_refused(port, capsys):
    with pytest.raises(SystemExit) as refused:
        cli.main([f"--port={port}"])
    assert refused.value.code == 2
    assert "a port lies in 1..65535" in capsys.readouterr().err


def test_an_unknown_command_names_the_nearest_one(capsys):
    with pytest.raises(SystemExit) as refused:
        cli.main(["trian", "--out", "x"])
    assert refused.value.code == 2
    shown = capsys.readouterr().err
    assert "unknown command 'trian'; did you mean 'train'?" in shown
    assert shown.count("\n") == 1


def test_help_needs_no_torch():
    # `iwae-lab --help` answers at once; torch alone takes a second to import.
    code = (
        "import sys; from iwae_core import cli; cli._parser([]); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=patience.SECONDS).returncode == 0
