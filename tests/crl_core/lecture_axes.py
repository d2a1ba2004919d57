"""The lecture's axes.js, or other scripts of it, in a process of Node, asked one question a line: for tests that draw
its input."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from playwright._impl._driver import compute_driver_executable

from crl_core.lecture import assets

AXES = assets.HERE / "js" / "axes.js"
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}  # what JSON cannot write, as JavaScript does
_ASKED = """
const plain = (value) => {
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (ArrayBuffer.isView(value)) return plain(Array.from(value));
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value === undefined ? "undefined" : value;
};
const read = (key, value) => (["NaN", "Infinity", "-Infinity"].includes(value) ? Number(value) : value);
require("readline").createInterface({ input: process.stdin }).on("line", (text) => {
  const { expression, given } = JSON.parse(text, read);
  const answer = new Function("given", SOURCE + "; return " + expression)(given);
  process.stdout.write(JSON.stringify(plain(answer)) + "\\n");
});
"""


def node() -> str:
    """The machine's Node, or the one that Playwright brings: there wherever the browser tests can run."""
    return shutil.which("node") or str(compute_driver_executable()[0])


class Axes:
    """`ask(expression, **given)`: what a JavaScript expression over axes.js gives; `given` holds its numbers.

    more: names of other scripts that the expression may use.
    """

    def __init__(self, more: Sequence[str] = ()) -> None:
        files = [AXES, *(AXES.with_name(f"{name}.js") for name in more)]
        source = json.dumps("\n".join(file.read_text(encoding="utf-8") for file in files))
        self._process = subprocess.Popen(
            [node(), "-e", f"const SOURCE = {source};{_ASKED}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def ask(self, expression: str, **given: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        question = json.dumps({"expression": expression, "given": _written(given)})
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"Node ended at: {question}"
        return _read(json.loads(answer))

    def close(self) -> None:
        self._process.communicate()


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _written(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_written(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _read(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_read(inner) for inner in value]
    return _WORDS.get(value, value) if isinstance(value, str) else value
