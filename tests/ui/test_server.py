"""The options and the warm-up in a server that really runs, for both ways to start it."""

import subprocess
import sys
import tomllib

import patience
import psutil
import pytest
import serving

from iwae_core import __version__
from iwae_core.places import APP
from iwae_core.ui import server

CONFIG = tomllib.loads((APP / ".streamlit" / "config.toml").read_text())


def configured(option):
    section, name = option.split(".")
    return CONFIG[section][name]


def test_the_configuration_sets_what_the_app_relies_on():
    # The values themselves, so that an edit of the file is a decision.
    assert {option: configured(option) for option in server.OPTIONS} == {
        "runner.postScriptGC": False,
        "runner.magicEnabled": False,
        "server.fileWatcherType": "none",
        "server.disconnectedSessionTTL": 300,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "browser.gatherUsageStats": False,
        "logger.hideWelcomeMessage": True,
    }


def test_the_server_starts_without_torch():
    # It answers at once and imports while the browser loads; a second of torch would delay both.
    code = "import sys; from iwae_core.ui import server; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=patience.SECONDS).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("command", [serving.lab_command, serving.streamlit_command])
def test_a_running_server_has_the_options_gets_warm_and_leaves_nothing(command):
    with serving.serve(command) as running:
        health = running.health()
        assert health["options"] == {option: configured(option) for option in server.OPTIONS}
        assert health["version"] == __version__
        assert running.get("/")[0] == 200
        assert "frame-ancestors" in running.get("/")[1]["content-security-policy"]
        running.wait_until_warm()
        assert f"served on {running.url}" in running.log.read_text()
        family = psutil.Process(running.process.pid).children(recursive=True)
        assert family, "the worker pool is part of a warm server"
        # Streamlit's own command may report Ctrl+C as "Aborted!" with code 1; ours ends as normal.
        ends = (0,) if command is serving.lab_command else (0, 1)
        assert serving.stop(running.process, patience.SECONDS) in ends
        assert "Traceback" not in running.log.read_text()
        _, alive = psutil.wait_procs(family, timeout=patience.SECONDS)
        assert not alive
