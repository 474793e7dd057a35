"""Nagle's algorithm is off for whoever connects."""

import socket

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
