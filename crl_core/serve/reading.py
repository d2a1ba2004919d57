"""A running endpoint read from outside: is it up, what did it answer, and what does its monitor say, in plain words.

Only this machine is asked, so that a page on a public server is no way into a network behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from urllib.parse import urlsplit

TIMEOUT_S = 3.0
_MOST_BYTES = 1_000_000
_LINE = re.compile(r"^(crl_\w+?)(?:\{(.*)\})? ([-+.\deE]+|NaN)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The monitor's last test of one environment label. p: None before the first."""

    label: str
    drifted: bool
    p: float | None
    tests: int
    alarms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An endpoint's state. refused: requests that were not answered with 200, the page's own reading among none."""

    model: str
    rows: int
    answered: int
    refused: int
    watched: tuple[Watched, ...]


def loopback(address: str) -> tuple[str, int]:
    """Host and port of an address on this machine. Raises ValueError for any other."""
    text = address.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise ValueError(f"“{text[:60]}” is no address; write one such as http://127.0.0.1:8000.") from None
    if parts.scheme != "http":
        raise ValueError(f"“{text[:60]}” is not read; only http on this machine is, such as http://127.0.0.1:8000.")
    try:
        own = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        own = False
    if not own:
        raise ValueError(
            f"“{host[:60]}” is not this machine; only an endpoint on the machine that shows this page is read, such as "
            "http://127.0.0.1:8000."
        )
    return "127.0.0.1" if host == "localhost" else host, port


def read_endpoint(address: str, timeout_s: float = TIMEOUT_S) -> Reading:
    """The state of the endpoint at an address of this machine.

    Raises: ValueError, one sentence, if the address is another's, nothing answers, or what answers is no endpoint.
    """
    host, port = loopback(address)
    where = f"http://{host}:{port}"
    if '"ok"' not in _get(host, port, "/healthz", timeout_s, where):
        raise ValueError(f"{where} does not say that it is well; look at what it prints where it runs.")
    return _reading(_get(host, port, "/metrics", timeout_s, where), where)


def _get(host: str, port: int, path: str, timeout_s: float, where: str) -> str:
    link = HTTPConnection(host, port, timeout=timeout_s)  # follows no redirect, and asks no proxy
    try:
        link.request("GET", path)
        answer = link.getresponse()
        if answer.status == 401:
            raise ValueError(f"{where} asks for an API key; its state is not read from here.")
        if answer.status != 200:
            raise ValueError(f"{where} answers {path} with {answer.status}; it is no endpoint of this program.")
        return answer.read(_MOST_BYTES).decode("utf-8", "replace")
    except TimeoutError:
        raise ValueError(f"{where} did not answer within {timeout_s:g} s; is it busy, or another program?") from None
    except ConnectionRefusedError:
        raise ValueError(f"nothing listens at {where}; start the endpoint with the command above.") from None
    except (OSError, HTTPException) as error:
        raise ValueError(
            f"{where} cannot be read ({type(error).__name__}); is it an endpoint of this program?"
        ) from None
    finally:
        link.close()


def _reading(text: str, where: str) -> Reading:
    found = list(_samples(text))
    models = [labels.get("model", "") for name, labels, _ in found if name == "crl_model"]
    if not models:
        raise ValueError(f"{where} is no endpoint of this program: its metrics name no model.")
    asked = [(labels, value) for name, labels, value in found if name == "crl_requests_total"]
    effects = [(labels["status"], value) for labels, value in asked if labels.get("path") == "/v1/effects"]

    def of(name: str, label: str) -> float | None:
        return next((v for n, labels, v in found if n == name and labels.get("environment") == label), None)

    names = [labels["environment"] for name, labels, _ in found if name == "crl_invariance_drifted"]
    return Reading(
        model=models[0],
        rows=int(sum(value for name, _, value in found if name == "crl_rows_total")),
        answered=int(sum(value for status, value in effects if status == "200")),
        refused=int(sum(value for status, value in effects if status != "200")),
        watched=tuple(
            Watched(
                label=name,
                drifted=bool(of("crl_invariance_drifted", name)),
                p=of("crl_invariance_p", name),
                tests=int(of("crl_invariance_tests_total", name) or 0),
                alarms=int(of("crl_invariance_alarms_total", name) or 0),
            )
            for name in names
        ),
    )


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Name, labels and value of each line of Prometheus' text format that is this program's."""
    for line in text.splitlines():
        if (found := _LINE.match(line)) is not None:
            yield found[1], dict(_LABEL.findall(found[2] or "")), float(found[3])
