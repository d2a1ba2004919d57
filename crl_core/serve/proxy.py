"""The endpoint behind a proxy: who asked, by which scheme, and under which path, told by proxies that are trusted."""

from __future__ import annotations

from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from crl_core.serve.middleware import refuse
from crl_core.serve.settings import checked_prefix, checked_proxies


class BehindProxy(ProxyHeadersMiddleware):
    """uvicorn's reading of X-Forwarded-For and X-Forwarded-Proto, and beside it the path prefix.

    Prefix:  `root_path`, or where that is empty X-Forwarded-Prefix of a trusted proxy; a header that is no prefix is
             refused with 400.
    Path:    as ASGI has it, with the prefix, whether the proxy passes the prefix on or takes it off. One of the
             application's own addresses came without it.
    """

    def __init__(self, app: Any, root_path: str, trusted_proxies: str) -> None:
        super().__init__(app, trusted_hosts=checked_proxies(trusted_proxies))
        self._root_path = checked_prefix(root_path)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            try:
                prefix = self._root_path or self._told(scope)
            except ValueError as error:
                said = f"the proxy's header X-Forwarded-Prefix cannot be used: {error}."
                await refuse(send, 400, said, scope["state"]["request_id"])
                return
            path = scope["path"]
            own = path in {getattr(route, "path", None) for route in scope["app"].routes}
            if prefix and (own or not f"{path}/".startswith(f"{prefix}/")):
                path = prefix + path
            scope |= {"root_path": prefix, "path": path}  # in place: the log and the metrics read it afterwards
        await super().__call__(scope, receive, send)

    def _told(self, scope: Any) -> str:
        client = scope.get("client")
        if not client or client[0] not in self.trusted_hosts:
            return ""
        told = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-prefix"]
        return checked_prefix(",".join(told).strip())
