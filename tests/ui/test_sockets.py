"""Nagle's algorithm is off for whoever connects, and a class may connect."""

import socket
import subprocess
import sys

import patience
import pytest

from iwae_core.ui import sockets


def test_connections_accepted_after_the_call_send_at_once():
    with socket.socket() as listening, socket.socket() as client:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert sockets.send_at_once() >= 1
        client.connect(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_usual_limit_of_open_files_is_raised_for_a_class():
    resource = pytest.importorskip("resource")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 1025:
        pytest.skip(f"this user may have {hard} files")
    script = """
import resource
from iwae_core.ui import sockets
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
most = sockets.allow_many()
assert most == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 1024, most
assert sockets.allow_many() == most
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=patience.SECONDS)
