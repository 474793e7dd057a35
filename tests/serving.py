"""Start the real server on a free port, wait for it, and end it by its process id."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iwae_core.places import APP

# A cold start imports torch twice (server and workers) on a machine that other tests share.
START_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    url: str
    process: subprocess.Popen
    log: Path

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body of one address."""
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, _lower(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _lower(error.headers), error.read()

    def health(self) -> dict:
        """What ``/lab/health`` reports."""
        return json.loads(self.get("/lab/health")[2])

    def wait_until_warm(self) -> None:
        """Return when the imports and the worker pool are ready."""
        wait_for(lambda: self.health()["warm"], "the server did not get warm", self)


def _lower(headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, complaint: str, server: Server | None = None) -> None:
    """Poll until ``condition()`` holds; connection errors mean "not yet"."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if condition():
                return
        if server and server.process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(complaint + (":\n" + server.log.read_text() if server else ""))


def streamlit_command(port: int) -> list[str]:
    """The command of ``streamlit run app.py``."""
    return [sys.executable, "-m", "streamlit", "run", str(APP / "app.py"), f"--server.port={port}"]


def lab_command(port: int) -> list[str]:
    """The command of ``iwae-lab``, from this environment."""
    return [str(Path(sys.executable).with_name("iwae-lab")), "--port", str(port)]


@contextlib.contextmanager
def serve(command=lab_command, cwd: Path | None = None, **environment: str) -> Iterator[Server]:
    """Run a server until the block ends; its log is shown when it does not come up."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        # A benchmark, too, keeps its runs out of the user's own store.
        environment.setdefault("IWAE_LAB_DATABASE", f"sqlite:///{folder}/runs.sqlite")
        environment.setdefault("IWAE_LAB_UPLOADS", f"{folder}/uploads")
        with log.open("w") as sink:
            process = subprocess.Popen(
                command(port),
                cwd=cwd or folder,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )
        server = Server(f"http://127.0.0.1:{port}", process, log)
        try:
            wait_for(lambda: server.get("/_stcore/health")[0] == 200, "no server", server)
            yield server
        finally:
            stop(process)


def stop(process: subprocess.Popen) -> int:
    """Ask the process to end, as Ctrl+C does, and insist after 20 seconds."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
