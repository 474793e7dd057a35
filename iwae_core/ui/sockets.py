"""The server's sockets: small messages go at once, and a class has as many as it needs.

Nagle's algorithm is off on the listening sockets. A rerun answers with a message or two, then,
milliseconds later, with the rest. That algorithm holds the rest back until the first is
acknowledged, which the reader delays by 40 ms: every control felt 40 ms late (measured: 48 ms
instead of 10). asyncio switches it off for sockets that name their protocol; Streamlit 1.67 binds
one that does not.
"""

import contextlib
import gc
import socket

_MOST_FILES = 65_536


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


def allow_many() -> int:
    """Raise this process's limit of open files as far as its user may.

    A session takes three files for its event loop until it ends, one for its websocket, and up to
    six for its browser's questions: with 1024, the usual limit, a class of 200 is shut out.

    Returns:
        The limit now in force; 0 where the platform knows none.
    """
    try:
        import resource
    except ImportError:  # Windows
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return soft
    with contextlib.suppress(OSError, ValueError):  # macOS has another limit beside it
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft


def _listens(each: socket.socket) -> bool:
    if each.family not in (socket.AF_INET, socket.AF_INET6) or each.type != socket.SOCK_STREAM:
        return False
    with contextlib.suppress(OSError):  # closed meanwhile, or the platform cannot say
        return bool(each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return False
