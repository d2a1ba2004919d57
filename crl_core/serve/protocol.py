"""Connections that a stranger cannot hold for ever: uvicorn's HTTP protocol with a deadline for the headers.

uvicorn closes what is idle between two requests, but waits without limit for the first headers; and its own limit of
connections counts silent ones. Here a connection that owes its headers is closed after `HEADERS_S`, and of more than
`MOST_WAITING` such connections the one that has owed them longest.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S = 10.0
MOST_WAITING = 500


class DeadlineProtocol(H11Protocol):
    """One connection."""

    waiting: ClassVar[OrderedDict[DeadlineProtocol, asyncio.TimerHandle]] = OrderedDict()  # the longest in front

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._owes_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._owes_nothing()
        elif self not in self.waiting:  # a beginning of the next request; no byte of it gains time
            self._owes_headers()

    def on_response_complete(self) -> None:
        super().on_response_complete()  # from here on uvicorn's own timer for idle connections counts
        if self.cycle is not None and not self.cycle.response_complete:
            self._owes_nothing()  # the next request had come already

    def connection_lost(self, exc: Exception | None) -> None:
        self._owes_nothing()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered with a sentence as everything else is."""
        said = {"error": "this is no HTTP request that can be read; send one of HTTP/1.1.", "request_id": ""}
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        events = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=json.dumps(said).encode()),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _owes_headers(self) -> None:
        self.waiting[self] = asyncio.get_running_loop().call_later(HEADERS_S, self._give_up)
        if len(self.waiting) > MOST_WAITING:
            next(iter(self.waiting))._give_up()

    def _owes_nothing(self) -> None:
        if (timer := self.waiting.pop(self, None)) is not None:
            timer.cancel()

    def _give_up(self) -> None:
        self._owes_nothing()
        self.transport.close()
