"""A class in one room: visitors open a question, predict, wait, and see the reveal. `python -m benchmarks.rooms`

Each visitor is a session of its own over a websocket, as a browser's, without a browser: what is measured is the
server. They come over some seconds, as a class does; then the lecturer reveals, and each polls every 3 s until it sees.
Printed: how many were counted in the room, seconds from opening to question and from predicting to the answer of the
server (median, largest), seconds from the reveal to the last who sees it, and the server's memory before and after.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from typing import Any

import numpy as np

from benchmarks.sessions import Visitor, served
from crl_core.lessons.lesson import lessons

PAGE, LINK = "effects", "lesson=machine&step=2&room="
OPTIONS = lessons()["machine"].steps[1].options


async def predict(visitor: Visitor, option: int, after_s: float) -> tuple[float, float]:
    """Open the question, choose, and send; seconds to the question, and from the click to the answer."""
    await asyncio.sleep(after_s)
    begun = time.perf_counter()
    await visitor.open()
    await visitor.until("For whose patients", widget="lesson.answer.machine.1")
    asked = time.perf_counter()
    chosen = {"lesson.answer.machine.1": ("string_value", OPTIONS[option].says)}
    await visitor.rerun(**chosen)
    visitor.values |= chosen
    await visitor.until("For whose patients", widget="lesson.reveal")
    clicked = time.perf_counter()
    await visitor.rerun(**{"lesson.reveal": ("trigger_value", True)})
    await visitor.until("Your lecturer reveals|crl-lesson-found")
    return asked - begun, time.perf_counter() - clicked


async def watch(visitor: Visitor) -> float:
    """Poll until the reveal is seen; when that was."""
    if visitor.polls is None:
        return time.perf_counter()
    interval, fragment = visitor.polls
    reading = asyncio.create_task(visitor.until("crl-lesson-found"))
    while not reading.done():
        await visitor.rerun(fragment=fragment)
        await asyncio.wait([reading], timeout=interval)
    await reading
    return time.perf_counter()


async def run(port: int, n: int, over_s: float, room: str = "class") -> dict[str, Any]:
    students = [Visitor(port, f"{LINK}{room}&reveal=off", PAGE) for _ in range(n)]
    times = await asyncio.gather(*(predict(visitor, at % 3, over_s * at / n) for at, visitor in enumerate(students)))
    stage = Visitor(port, LINK + room, PAGE)
    await stage.open()
    await stage.until("For whose patients", widget="lesson.skip")
    waiting = [asyncio.create_task(watch(visitor)) for visitor in students]
    await asyncio.sleep(1)
    revealed = time.perf_counter()
    await stage.rerun(**{"lesson.skip": ("trigger_value", True)})
    await stage.until("crl-lesson-found")
    counted = re.search(r"Predictions in this room: (\d+)", stage.texts)
    seen = await asyncio.gather(*waiting)
    opening, answering = (np.array(column) for column in zip(*times, strict=True))
    return {
        "counted": 0 if counted is None else int(counted[1]),
        "opening_s": (float(np.median(opening)), float(opening.max())),
        "answering_s": (float(np.median(answering)), float(answering.max())),
        "reveal_s": max(seen) - revealed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=200)
    parser.add_argument("--over", type=float, default=60.0, help="seconds over which they come")
    parser.add_argument("--port", type=int, default=8731)
    asked = parser.parse_args()
    with served(asked.port) as server:
        asyncio.run(run(asked.port, 1, 0, "first"))
        before = server.memory_mb()
        found = asyncio.run(run(asked.port, asked.visitors, asked.over))
        after = server.memory_mb()
    opening, answering = found["opening_s"], found["answering_s"]
    print(f"{found['counted']} predictions in the room of {asked.visitors + 1}, who came over {asked.over:g} s")
    print(f"question there after  {opening[0]:.2f} s, largest {opening[1]:.2f} s")
    print(f"prediction answered   {answering[0]:.2f} s, largest {answering[1]:.2f} s")
    print(f"last sees the reveal  {found['reveal_s']:.2f} s after it")
    print(f"server's memory       {before:.0f} MB, then {after:.0f} MB")


if __name__ == "__main__":
    main()
