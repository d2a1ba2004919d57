"""`/docs`: a page of our own that lists the operations of openapi.json and tries them; it asks nobody but this server.

Addresses in it are relative, so that it is right under any path, whatever a proxy tells.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response

_FOLDER = Path(__file__).parent / "docs_page"
_FILES = {
    "/docs": ("page.html", "text/html"),
    "/docs/page.js": ("page.js", "text/javascript"),
    "/docs/page.css": ("page.css", "text/css"),
}
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def add_docs(app: FastAPI) -> None:
    """The page and its two files, outside of the OpenAPI description and without a key."""
    for address, (name, kind) in _FILES.items():
        answer = Response((_FOLDER / name).read_bytes(), headers=_HEADERS, media_type=kind)

        async def file(_: Request, answer: Response = answer) -> Response:
            return answer

        app.add_route(address, file, include_in_schema=False)
