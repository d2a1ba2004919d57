"""ASGI middleware around every request: the key before the body, an id, limits of body, time and number, one JSON log
line, always an answer."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from crl_core.serve.settings import Settings, checked_prefix

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ALIVE = "/healthz"  # is answered to everybody, however many requests are being worked on
MOST_AT_ONCE = 200


class Guard:
    """The middleware. `done(path, status, seconds)` is called for every answer, for the metrics."""

    def __init__(self, app: App, settings: Settings, done: Callable[[str, int, float], None]) -> None:
        self._app, self._settings, self._done = app, settings, done
        self._alive = (ALIVE, checked_prefix(settings.root_path) + ALIVE)
        self._under_way = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get(b"x-request-id", "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        notes: dict[str, Any] = {}  # what the endpoint adds to the log line
        scope["state"] = {**scope.get("state", {}), "request_id": request_id, "notes": notes}
        status = 0
        if scope["method"] == "HEAD":  # as GET, and the server sends no body
            scope = {**scope, "method": "GET"}

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        self._under_way += 1
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                if (refusal := self._refusal(str(scope["path"]), headers)) is not None:
                    await refuse(answer, *refusal, request_id, close=True)
                    return
                body = await self._body(headers, receive)
                if isinstance(body, str):
                    await refuse(answer, 413, body, request_id, close=True)
                else:
                    await self._app(scope, _once(body, receive), answer)
        except TimeoutError:
            if not status:
                said = (
                    f"the request took longer than {self._settings.timeout_s:g} s; send fewer rows, or send them "
                    f"faster."
                )
                await refuse(answer, 408, said, request_id, close=True)
        except Exception as error:
            notes["problem"] = type(error).__name__
            if not status:
                await refuse(answer, 500, "the server failed on this request; its log line names the id.", request_id)
        finally:
            self._under_way -= 1
            seconds = time.perf_counter() - start
            path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
            self._done(path, status, seconds)
            log(
                {
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": path[:200],
                    "status": status,
                    "ms": round(1e3 * seconds, 3),
                    **notes,
                }
            )

    def _refusal(self, path: str, headers: dict[bytes, str]) -> tuple[int, str] | None:
        """Status and sentence of what is refused before its body is read."""
        if b"transfer-encoding" in headers and b"content-length" in headers:  # a proxy may read it otherwise
            return 400, "send Content-Length or Transfer-Encoding, not both."
        if path in self._alive:
            return None
        key = self._settings.api_key
        if key is not None and not hmac.compare_digest(headers.get(b"x-api-key", "").encode(), key.encode()):
            return 401, "the API key is missing or wrong; send it as the header X-API-Key."
        if self._under_way > MOST_AT_ONCE:
            return 503, f"{MOST_AT_ONCE} requests are being worked on; try again in a second."
        return None

    async def _body(self, headers: dict[bytes, str], receive: Receive) -> bytes | str:
        """The whole body, or why it is too large; no more than the limit is ever held."""
        most = self._settings.max_body
        said = f"the body is larger than {most:,} bytes; send the rows in several requests."
        if headers.get(b"content-length", "0").isdigit() and int(headers.get(b"content-length", "0")) > most:
            return said
        content = bytearray()
        while True:
            message = await receive()
            content += message.get("body", b"")
            if len(content) > most:
                return said
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return bytes(content)


def _once(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def refuse(send: Send, status: int, error: str, request_id: str, *, close: bool = False) -> None:
    """Answer with a status and one sentence. close: the connection too, since a part of the request was not read."""
    body = json.dumps({"error": error, "request_id": request_id}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"connection", b"close")] if close else []
    headers += [(b"retry-after", b"1")] if status == 503 else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def log(fields: dict[str, Any]) -> None:
    """One line of JSON on standard output; every control character is escaped."""
    line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **fields}
    sys.stdout.write(json.dumps(line, ensure_ascii=True, default=str) + "\n")
    sys.stdout.flush()
