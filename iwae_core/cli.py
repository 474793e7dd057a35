"""The ``iwae-lab`` command: ``iwae-lab [--host H] [--port P]`` starts the app from any folder.

``iwae-lab train`` and ``iwae-lab evaluate`` work without a browser (:mod:`iwae_core.headless`).
"""

import argparse
import contextlib
import errno
import importlib.util
import os
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from iwae_core import __version__
from iwae_core.names import check_known
from iwae_core.places import APP

EXIT_CANNOT_SERVE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; ``app`` is what runs when none is named."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(given).parse_args(given)
    return int(options.run(options))


class _Parser(argparse.ArgumentParser):
    """Says one sentence on an error, not thirty lines of usage before it."""

    def error(self, message: str) -> NoReturn:
        """End with the sentence and code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="iwae-lab",
        description="See, drag and train importance sampling and the IWAE in the browser.",
    )
    parser.add_argument("--version", action="version", version=f"iwae-lab {__version__}")
    _add_app_options(parser)
    subcommands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_app_options(subcommands.add_parser("app", help="start the app (the default)"))
    train = subcommands.add_parser("train", help="train without a browser, into a folder")
    evaluate = subcommands.add_parser("evaluate", help="evaluate a kept run on its test set")
    if {"train", "evaluate"} & set(given[:1]):  # torch would delay the app's start
        from iwae_core import headless, headless_options

        headless_options.add_train_options(train, headless.train)
        headless_options.add_evaluate_options(evaluate, headless.evaluate)
    if given and not given[0].startswith("-"):
        try:
            check_known(given[0], subcommands.choices, "command")
        except ValueError as fault:
            parser.error(str(fault))
    return parser


def _add_app_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=8501, help="port to listen on (%(default)s)")
    parser.set_defaults(run=run_app)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"a port lies in 1..65535, got {text!r}")
    return int(text)


def run_app(options: argparse.Namespace) -> int:
    """Serve the app until it is stopped; says so and returns 2 where it cannot."""
    trouble = _why_not_listen(options.host, options.port) or _why_no_cluster()
    if trouble:
        print(f"iwae-lab: {trouble}", file=sys.stderr)
        return EXIT_CANNOT_SERVE
    script = APP / "app.py"
    # Streamlit looks for .streamlit/config.toml beside the program's first argument.
    sys.argv = [str(script)]
    spec = importlib.util.spec_from_file_location("app", script)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"no app at {script}: the installation is incomplete")
    module = importlib.util.module_from_spec(spec)
    sys.modules["app"] = module
    spec.loader.exec_module(module)
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl+C: the server has ended in order by then
        module.app.run(config={"server.address": options.host, "server.port": options.port})
    return 0


def _why_no_cluster() -> str | None:
    """Reach the cluster that the environment names, if any, before a page needs it."""
    if not os.environ.get("IWAE_LAB_SCHEDULER"):
        return None
    from iwae_core.runtime import executor

    try:
        executor.shared()
    except (ConnectionError, ImportError) as fault:
        return str(fault)
    return None


def _why_not_listen(host: str, port: int) -> str | None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        return f"host {host!r} is unknown on this machine; 127.0.0.1 always works"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} on {host} is in use; stop that program or choose another --port"
        return (
            f"cannot listen on {host}:{port} ({error.strerror}); choose another --host or --port"
        )
    return None
