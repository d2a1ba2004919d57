"""The command `serve`: an exported file behind HTTP."""

from __future__ import annotations

import argparse
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from crl_core.config.numbers import option
from crl_core.export.formats import INSTALL
from crl_core.serve.descriptors import raise_limit

SAYS = "an exported model as a web service that watches its own assumptions"
_NEEDED = ("fastapi", "uvicorn", "prometheus_client")


def add_serve_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    add_options(command("serve", run_server, SAYS))


def add_options(serve: argparse.ArgumentParser) -> None:
    """Options of `serve`."""
    serve.add_argument("file", metavar="FILE", help="as `export` wrote it")
    serve.add_argument("--host", default="127.0.0.1", help="default 127.0.0.1: this machine only")
    serve.add_argument("--port", type=option(whole=True), default=8000, help="default 8000; 0 takes a free one")
    serve.add_argument(
        "--api-key",
        default=os.environ.get("CRL_API_KEY"),
        metavar="KEY",
        help="ask for it in X-API-Key; or CRL_API_KEY",
    )
    serve.add_argument(
        "--max-rows",
        type=option(unit="rows", whole=True),
        default=1024,
        metavar="N",
        help="of one request; default 1024",
    )
    serve.add_argument(
        "--timeout", type=option(unit="s seconds"), default=10.0, metavar="S", help="of one request; default 10"
    )
    serve.add_argument("--root-path", default="", metavar="P", help="path at which a proxy shows it, e.g. /models")
    serve.add_argument(
        "--trusted-proxies",
        "--forwarded-allow-ips",
        default=os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1"),  # as uvicorn has it
        metavar="A,B",
        help="whose X-Forwarded-Prefix, -Proto and -For are believed: addresses, networks, or *; default 127.0.0.1",
    )
    serve.add_argument("--log-features", action="store_true", help="write the rows to the log as well")


def run_server(options: argparse.Namespace) -> int:
    """Serve until a signal ends it. Raises ValueError for a file or an address that cannot be served."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ValueError(f"serving needs {', '.join(missing)}, not installed here: {INSTALL}.")
    from crl_core.serve.settings import Settings, checked_prefix

    settings = Settings(
        api_key=options.api_key,
        max_rows=options.max_rows,
        timeout_s=options.timeout,
        log_features=options.log_features,
        root_path=options.root_path,
        trusted_proxies=options.trusted_proxies,
        max_body=max(1_000_000, 1000 * options.max_rows),
    )
    raise_limit()
    listening = _socket(options.host, options.port)
    with listening:
        from crl_core.serve.middleware import log

        host, port = listening.getsockname()[:2]
        where = {"address": f"http://{host}:{port}"}
        if prefix := checked_prefix(options.root_path):
            where["root_path"] = prefix
        log({"event": "opening", **where, "file": options.file})  # at once: the imports below take seconds

        import uvicorn

        from crl_core.serve.app import create_app
        from crl_core.serve.protocol import DeadlineProtocol

        app = create_app(options.file, settings)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
            http=DeadlineProtocol,
            proxy_headers=False,  # read by crl_core.serve.proxy, once
            server_header=False,
        )
        log({"event": "listening", **where, "model": app.state.model.name})
        for caution in app.state.model.cautions:
            log({"event": "warning", "caution": caution})
        signal.signal(signal.SIGTERM, _end)  # uvicorn sends the signal on once all answers are given
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
        log({"event": "stopped"})
    return 0


def _end(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _socket(host: str, port: int) -> socket.socket:
    """The server's socket, bound before the model is opened. Raises ValueError if the address cannot be had."""
    if not 0 <= port <= 65535:
        raise ValueError(f"port is {port}; it must be from 0 to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off; without, every answer waits 40 ms for an
    # acknowledgement.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise ValueError(
            f"{host}:{port} cannot be used ({error.strerror or error}); choose another with --port."
        ) from None
    return found
