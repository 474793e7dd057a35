"""Send small messages at once: Nagle's algorithm off on the server's listening sockets.

A rerun answers with a message or two, then, milliseconds later, with the rest. Nagle's
algorithm holds the rest back until the first is acknowledged, which the reader delays by 40 ms:
every control felt 40 ms late (measured: 48 ms instead of 10). asyncio switches the algorithm off
for sockets that name their protocol; Streamlit 1.67 binds one that does not.
"""

import contextlib
import gc
import socket


def send_at_once() -> int:
    """Set TCP_NODELAY on this process's listening sockets; accepted connections inherit it.

    Streamlit offers no way to its socket, so it is looked up among the living objects.

    Returns:
        Number of listening sockets found.
    """
    n_found = 0
    for each in gc.get_objects():
        if type(each) is socket.socket and _listens(each):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            n_found += 1
    return n_found


def _listens(each: socket.socket) -> bool:
    if each.family not in (socket.AF_INET, socket.AF_INET6) or each.type != socket.SOCK_STREAM:
        return False
    with contextlib.suppress(OSError):  # closed meanwhile, or the platform cannot say
        return bool(each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False
