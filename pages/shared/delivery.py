"""What a browser is sent before the app runs: Streamlit's scripts, compressed, and a first screen to read meanwhile.

Streamlit sends 2.1 MB of scripts as they are, and 170 kB of a font that our theme does not use, before its first word;
then, only once the first elements have come, the scripts that draw them. On a line of 60 kB/s that is a blank page for
40 s. Here every script is compressed once and kept; the page that loads them says meanwhile what it will be, and names
at once the scripts that its elements will need.

Streamlit answers any address with its page, which asks for its files beside that address: below a page's, such as
/runs/of/mine, it would stay blank, so the visitor is sent on to /runs.
"""

from __future__ import annotations

import ast
import gzip
import re
from functools import cache
from html import escape
from pathlib import Path

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crl_core.figures.palette import FONT, Theme, palette
from pages.shared import load, shell
from pages.shared.places import TITLES, page_file

STATIC = Path(st.__file__).parent / "static"
_INDEX = STATIC / "index.html"
_KINDS = {".js": "text/javascript", ".css": "text/css"}
_FOR_EVER = {"Cache-Control": "public, immutable, max-age=31536000", "Vary": "Accept-Encoding"}  # names carry a hash
# Scripts of the elements that come first: in the sidebar of every page, and on a page that is one large element.
_CHUNKS = ("Selectbox", "Slider", "NumberInput", "ButtonGroup", "TextInput", "Button", "Html")
_CHUNKS_OF = {"lecture": ("BidiComponent", "DownloadButton")}
# Streamlit draws a Plotly figure first for a width that it does not know yet, unseen, and hands Plotly copies of what
# is drawn already: every figure was drawn twice. The names are those of the pinned version's script.
_DRAWN_ONCE = {
    b"return t?i(Je,{width:t,": b"return t>0?i(Je,{width:t,",
    b"F(t=>Le(t,e.theme,c))": b"F(t=>e.theme?Le(t,e.theme,c):t)",
}
_LATEST_MS = 30_000  # a run that computes for longer has its icons before it ends
# While the app arrives no font is fetched: not Streamlit's own, 170 kB, which it uses until it knows our theme, and the
# icons', 375 kB, which it asks for at once, only when the first run of the script has sent all it has.
_ARRIVING = f"""
.arriving #root * {{ font-family: {FONT} !important; }}
.arriving [data-testid=stIconMaterial] {{ visibility: hidden; }}
"""
_WATCH = """{
const arriving = document.documentElement.classList, first = document.getElementById("first-screen");
const fetchFonts = () => { arriving.remove("arriving"); delete document.fonts.load; };
const observer = new MutationObserver(() => {
  const main = document.querySelector("[data-testid=stMain]")?.textContent.trim();
  if (main || document.querySelector("[role=dialog]")) first.remove();
  if (!main || !document.querySelector("[data-test-script-state=notRunning]")) return;
  observer.disconnect();
  fetchFonts();
});
arriving.add("arriving");
document.fonts.load = () => Promise.resolve([]);
observer.observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true,
  attributeFilter: ["data-test-script-state"] });
setTimeout(fetchFonts, LATEST);
}"""


class Delivery:
    """Middleware between the browser and Streamlit's files; everything else passes as it is.

    An uploaded file stays in memory: by itself Starlette writes what is larger than 1 MB to the temporary folder.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        load.prepare()
        MultiPartParser.spool_max_size = (int(st.get_option("server.maxUploadSize")) + 1) * 2**20

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        packed = "gzip" in headers.get("accept-encoding", "") and "range" not in headers
        file = re.search(r"static/(?:js|css)/[\w.-]+$", scope["path"])
        if packed and file and (STATIC / file[0]).is_file():
            body = await run_in_threadpool(packed_file, file[0])
            kind = _KINDS.get(Path(file[0]).suffix)
            return await _gzipped(body, kind, _FOR_EVER)(scope, receive, send)
        instead: Response | None = None

        async def send_on(message: Message) -> None:
            nonlocal instead
            if message["type"] == "http.response.start" and _is_index(message):
                instead = _instead_of_index(scope, packed)
                if instead is not None:
                    await instead(scope, receive, send)
            if instead is None:
                await send(message)

        return await self.app(scope, receive, send_on)


def _instead_of_index(scope: Scope, packed: bool) -> Response | None:
    """What a visitor gets for Streamlit's index.html; None: that file as it is, for who takes no gzip."""
    if (page := page_above(scope["raw_path"].decode("latin-1"))) is not None:
        query = scope["query_string"].decode("latin-1")
        return RedirectResponse(page + (f"?{query}" if query else ""), 302)
    if load.full():
        return Response(load.FULL, 503, {"Retry-After": "20", "Cache-Control": "no-store"}, "text/html")
    if not packed:
        return None
    body = first_page(shell.page_of(scope["path"].rstrip("/").rpartition("/")[2]) or shell.DEFAULT_PAGE)
    return _gzipped(body, "text/html", {"Cache-Control": "no-cache"})


def page_above(path: str) -> str | None:
    """The page that an address lies below, relative to it: ../../runs of /runs/of/mine. None: it lies below none.

    path: as it was asked for, with the server's baseUrlPath. A proxy may have taken a prefix off, so nothing absolute.
    """
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    first, _, below = path.removeprefix(f"/{base}/" if base else "/").partition("/")
    return "../" * (1 + below.count("/")) + first if first and below and first != "static" else None


def _gzipped(body: bytes, kind: str | None, headers: dict[str, str]) -> Response:
    return Response(body, media_type=kind, headers=headers | {"Content-Encoding": "gzip"})


def _is_index(start: Message) -> bool:
    """Whether this answer is Streamlit's index.html, by its ETag, which no compression on the way changes."""
    etag = Headers(raw=start["headers"]).get("etag", "").removeprefix("W/")
    return start["status"] == 200 and etag == _index_etag()


@cache
def _index_etag() -> str:
    return FileResponse(_INDEX, stat_result=_INDEX.stat()).headers["etag"]


@cache
def packed_file(name: str) -> bytes:
    """A script or style sheet of Streamlit's, gzipped. name: its place in `STATIC`; it is there."""
    return gzip.compress(script(name), mtime=0)


def script(name: str) -> bytes:
    """What a script or style sheet says in a browser."""
    body = (STATIC / name).read_bytes()
    if Path(name).name.startswith("PlotlyChart."):
        for theirs, ours in _DRAWN_ONCE.items():
            body = body.replace(theirs, ours)
    return body


@cache
def first_page(stem: str) -> bytes:
    """Streamlit's index.html for a page of ours, gzipped: with a first screen, without the font that nobody sees."""
    text = _INDEX.read_text(encoding="utf-8")
    text = re.sub(r'<link\s+rel="preload"[^>]*as="font"[^>]*>', "", text)
    known = set(re.findall(r"static/js/([\w.-]+)", text))
    wanted = [name for name in chunks(*_CHUNKS, *_CHUNKS_OF.get(stem, ())) if name not in known]
    links = "".join(
        f'<link rel="modulepreload" crossorigin fetchpriority="low" href="./static/js/{name}">' for name in wanted
    )
    text = text.replace("<title>Streamlit</title>", "<title>CRL Explorer</title>").replace("</head>", links + "</head>")
    return gzip.compress(text.replace("</body>", _screen(stem) + "</body>").encode(), mtime=0)


def chunks(*stems: str) -> list[str]:
    """The scripts of these elements and all that they import, each once. A stem that Streamlit no longer has: none."""
    folder, found = STATIC / "static" / "js", []
    waiting = [path.name for stem in stems for path in folder.glob(f"{stem}.*.js")]
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found.append(name)
            waiting += re.findall(r'(?:from|import)"\./([\w.-]+\.js)"', (folder / name).read_text(encoding="utf-8"))
    return found


def _screen(stem: str) -> str:
    """What is read while the app loads: what this page answers, and what the others do."""
    others = "".join(f"<p><b>{escape(title)}</b> {escape(_answers(name))}</p>" for name, title in TITLES.items())
    return (
        f"<style>{_ARRIVING}{_look('light')}@media (prefers-color-scheme: dark) {{ {_look('dark')} }}</style>"
        f'<div id="first-screen" role="status"><p><b>CRL Explorer</b> {escape(TITLES[stem])}</p>'
        f"<p>{escape(_answers(stem))}</p><p>Loading; on a slow line the first visit takes half a minute, and the "
        f"browser keeps what it has loaded.</p><div>{others}</div></div>"
        f"<script>{_WATCH.replace('LATEST', str(_LATEST_MS))}</script>"
    )


def _look(theme: Theme) -> str:
    ink = palette(theme)
    return (
        f"#first-screen {{ position: fixed; inset: 0; z-index: 9; overflow: auto; padding: 1.2rem max(1.2rem, 8vw); "
        f"background: {ink['bg']}; color: {ink['text']}; "
        f"font: 15px/1.5 {FONT}; }} "
        f"#first-screen p {{ max-width: 44rem; margin: 0 0 .6rem 0; }} "
        f"#first-screen div {{ color: {ink['muted']}; margin-top: 1.6rem; font-size: 13px; }}"
    )


def _answers(stem: str) -> str:
    """The first line of the page's file: the question it answers."""
    source = (shell.ROOT / page_file(stem)).read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
