"""What a browser is sent before the app runs, by the real server: bytes, not seconds."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from crl_core.config.presets import PRESETS
from crl_core.lecture.frames import frames
from crl_core.lecture.handout import naming_of
from crl_core.runs.store import RunStore
from pages.shared import delivery, server_cache
from pages.shared.places import DEFAULT_PAGE, TITLES
from pages.shared.shell import page_file, page_of
from tests.browser.conftest import ROOT, Server, start_server

FIRST_LOAD = 700_000  # bytes of scripts and styles before anything of a page can be drawn; 12 s at 60 kB/s
LECTURE = 470_000  # and of the lecture's one large message, as the websocket compresses it: 8 s for the largest preset


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("app") / "cache")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("prefixed") / "cache", "/tools/crl")
    yield server
    server.stop()


def get(server: Server, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer, answer.read() if answer.status != 101 else b""


def test_the_first_load_is_small_compressed_whole_and_kept_by_the_browser(running: Server) -> None:
    _, page = get(running, "/lecture", Accept_Encoding="gzip, deflate")
    names = set(re.findall(r"static/(?:js|css)/[\w.-]+", gzip.decompress(page).decode()))
    assert len(names) > 60
    sent = len(page)
    for name in names:
        answer, body = get(running, f"/{name}", Accept_Encoding="gzip, deflate")
        sent += len(body)
        assert gzip.decompress(body) == (delivery.STATIC / name).read_bytes()
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["Content-Type"].partition(";")[0] in ("text/javascript", "text/css")
    assert sent < FIRST_LOAD


@pytest.mark.parametrize("address", ["/", "/lecture", "/Lecture", "/scenario?n=400", "/lambda", "/nowhere", "/a%2Fb"])
def test_every_address_has_a_first_screen_that_names_its_page_and_no_font(running: Server, address: str) -> None:
    answer, body = get(running, address, Accept_Encoding="gzip")
    text = gzip.decompress(body).decode()
    stem = page_of(address.partition("?")[0].rpartition("/")[2]) or DEFAULT_PAGE
    title = TITLES[stem]
    assert answer.headers["Cache-Control"] == "no-cache"
    assert f"<b>CRL Explorer</b> {title}</p>" in text
    assert (ROOT / page_file(stem)).read_text(encoding="utf-8").removeprefix('"""')[:40] in unescape(text)
    assert "woff2" not in text
    assert '<div id="root"></div>' in text  # Streamlit's own part of it is there


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/runs/of/mine", "/runs"),
        ("/a/b?preset=leaky&runs=1&runs=2", "/a?preset=leaky&runs=1&runs=2"),
        ("/lambda%20path/x?set=a%3Db", "/lambda%20path?set=a%3Db"),
        ("/scenario/static.html", "/scenario"),
        ("/x/http:elsewhere.org/y/z", "/x"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/tools/crl"])
def test_an_address_below_a_page_is_sent_on_to_the_page_with_its_query(
    running: Server, prefixed: Server, prefix: str, address: str, page: str, encoding: str
) -> None:
    answer, _ = get(prefixed if prefix else running, prefix + address, Accept_Encoding=encoding)
    assert answer.status == 302
    origin = "http://127.0.0.1"
    assert urljoin(origin + prefix + address, answer.headers["Location"]) == origin + prefix + page


def test_who_takes_no_gzip_gets_streamlits_own_answer(running: Server) -> None:
    name = f"static/js/{delivery.chunks('Selectbox')[0]}"
    for address, file in ((f"/{name}", name), ("/", "index.html")):
        answer, body = get(running, address, Accept_Encoding="identity")
        assert "Content-Encoding" not in answer.headers
        assert body == (delivery.STATIC / file).read_bytes()


@pytest.mark.parametrize(
    "address",
    [
        "/static/js/../index.html",
        "/static/js/..",
        "/static/js/none.js",
        "/media/none.png",
        "/component/a/b.js",
        "/_stcore/health",
        "/a/_stcore/host-config",
    ],
)
def test_no_other_file_and_no_other_answer_is_replaced(running: Server, address: str) -> None:
    answer, body = get(running, address, Accept_Encoding="gzip")
    text = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
    assert answer.status in (200, 400, 404)
    assert b"import" not in text[:200]
    if address.endswith("health"):
        assert body == b"ok"


def test_part_of_a_file_is_answered_with_that_part(running: Server) -> None:
    name = f"static/js/{delivery.chunks('Selectbox')[0]}"
    answer, body = get(running, f"/{name}", Accept_Encoding="gzip", Range="bytes=0-9")
    assert answer.status == 206
    assert body == (delivery.STATIC / name).read_bytes()[:10]


def test_messages_are_compressed(running: Server) -> None:
    answer, _ = get(
        running,
        "/_stcore/stream",
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
        Sec_WebSocket_Extensions="permessage-deflate",
        Sec_WebSocket_Protocol="streamlit",
    )
    assert answer.status == 101
    assert "permessage-deflate" in answer.headers["Sec-WebSocket-Extensions"]


@pytest.mark.parametrize("stem", [*delivery._CHUNKS, *delivery._CHUNKS_OF["lecture"]])
def test_each_script_named_ahead_is_one_that_this_streamlit_has(stem: str) -> None:
    assert delivery.chunks(stem)[0].startswith(f"{stem}.")


def test_one_script_of_streamlits_is_changed_where_this_version_draws_figures_twice() -> None:
    names = [f"static/js/{path.name}" for path in (delivery.STATIC / "static" / "js").glob("*.js")]
    changed = [name for name in names if delivery.script(name) != (delivery.STATIC / name).read_bytes()]
    assert changed == [f"static/js/{delivery.chunks('PlotlyChart')[0]}"]
    theirs, ours = (delivery.STATIC / changed[0]).read_bytes(), delivery.script(changed[0])
    for before, after in delivery._DRAWN_ONCE.items():
        assert (theirs.count(before), ours.count(after)) == (1, 1)


@pytest.mark.parametrize("name", PRESETS)
def test_the_lectures_one_large_message_is_small(name: str, tmp_path: Path) -> None:
    store = RunStore(tmp_path, baked=ROOT / "cache" / "baked")
    key = PRESETS[name].config.key
    run = store.load(key)
    parts = [store.part(key, part) for part in ("projection", "evidence")]
    shown = frames(run, *parts, naming=naming_of(run.config, "environment"), palettes=server_cache.lecture_palettes())
    assert len(zlib.compress(json.dumps(shown).encode(), 6)) < LECTURE


def test_a_file_that_is_uploaded_stays_in_memory_whatever_its_size() -> None:
    delivery.Delivery(lambda *_: None)  # type: ignore[arg-type]
    body = (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="t.csv"\r\n\r\n'
        + b"1" * 3_000_000
        + b"\r\n--x--\r\n"
    )

    async def stream() -> AsyncIterator[bytes]:
        yield body

    async def read() -> tuple[bool, int]:
        form = await MultiPartParser(Headers({"content-type": "multipart/form-data; boundary=x"}), stream()).parse()
        file = form["f"]
        assert isinstance(file, UploadFile)
        return file._in_memory, len(await file.read())

    with ThreadPoolExecutor(1) as apart:  # this thread may have the loop that drives a browser
        assert apart.submit(asyncio.run, read()).result() == (True, 3_000_000)
