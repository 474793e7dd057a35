"""Start the real server on a free port, wait for it, and end it by its process id."""

import contextlib
import itertools
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

import patience
import psutil

from iwae_core.places import APP


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
            with urllib.request.urlopen(request, timeout=patience.SECONDS) as answer:
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

    @contextlib.contextmanager
    def without_workers(self) -> Iterator[None]:
        """Let no worker process go on meanwhile: work under way stays so, on any machine."""
        workers = psutil.Process(self.process.pid).children(recursive=True)
        for worker in workers:
            worker.suspend()
        try:
            yield
        finally:
            for worker in workers:
                worker.resume()


def _lower(headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


# Below those that a system gives to whoever asks for any, so that nobody gets one between our
# look at it and the server's start. Test processes have neighboring numbers, and each its ports.
_ports = itertools.count(20_000 + 40 * (os.getpid() % 300))


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def wait_for(condition, complaint: str, server: Server | None = None) -> None:
    """Poll until ``condition()`` holds; connection errors mean "not yet"."""
    deadline = time.monotonic() + patience.SECONDS
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


def stop(process: subprocess.Popen, seconds: float = 60) -> int:
    """Ask the process to end, as Ctrl+C does, and insist after a while."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
