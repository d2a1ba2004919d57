"""Many visitors at once are drawn one after the other, and nobody waits long for one who takes long."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock

import pytest

from pages.shared import turns as room
from pages.shared.turns import Turns
from tests.pages.conftest import Open


def test_of_many_who_come_at_once_one_is_drawn_at_a_time_and_all_are() -> None:
    turns, together, inside, most, lock = Turns(60), Barrier(16), [0], [0], Lock()

    def visit(_: int) -> None:
        together.wait()
        for _ in range(20):
            with turns.turn():
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.0005)
                with lock:
                    inside[0] -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(visit, range(16)))
    assert (most[0], inside[0]) == (1, 0)


def test_a_page_that_works_something_out_for_long_does_not_hold_up_the_others() -> None:
    turns, done = Turns(0.05), Event()

    def long() -> bool:
        with turns.turn():
            return done.wait(30)

    def quick() -> bool:
        with turns.turn():
            return done.is_set()

    with ThreadPoolExecutor(8) as pool:
        slow = pool.submit(long)
        others = [pool.submit(quick) for _ in range(6)]
        assert [other.result(20) for other in others] == [False] * 6  # all of them while the long one goes on
        assert not slow.done()
        done.set()
        assert slow.result(20)
    assert quick()  # its late return has taken nobody's turn


def test_a_page_that_ends_early_or_fails_gives_its_turn_back() -> None:
    turns = Turns(60)
    with pytest.raises(ValueError, match="ends"), turns.turn():
        raise ValueError("ends")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: turns.turn().__enter__() is None).result(20)


def test_a_late_return_does_not_end_the_turn_of_the_next() -> None:
    turns, entered, leave = Turns(0.05), Event(), Event()
    first = turns.turn()
    first.__enter__()

    def second() -> bool:
        with turns.turn():
            entered.set()
            return leave.wait(30)

    with ThreadPoolExecutor(2) as pool:
        after = pool.submit(second)
        assert entered.wait(20)  # overdue: taken over
        holder = turns._holder
        first.__exit__(None, None, None)
        assert turns._holder is holder
        leave.set()
        assert after.result(20)
    assert turns._holder is None


def test_turns_come_in_the_order_of_asking() -> None:
    turns, order, asked = Turns(60), [], []

    def visit(number: int) -> None:
        asked.append(number)
        with turns.turn():
            order.append(number)

    with ThreadPoolExecutor(20) as pool, turns.turn():
        for number in range(20):
            pool.submit(visit, number)
            while len(turns._waiting) <= number:
                time.sleep(0.001)
    assert order == asked == list(range(20))


def test_every_page_waits_for_its_turn_and_gives_it_back(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, asked = Turns(60), []
    take = turns.turn

    def noted():  # type: ignore[no-untyped-def]
        asked.append(turns._holder)
        return take()

    monkeypatch.setattr(turns, "turn", noted)
    monkeypatch.setattr(room, "TURNS", turns)
    app = open_app()
    assert not app.exception
    assert asked
    assert turns._holder is None
