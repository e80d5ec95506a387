"""Many requests to a slow venue: a limited number at a time, and all answered."""

from functools import partial

import pytest

from strategy_runtime.clock import sleep
from strategy_runtime.errors import Unreachable
from strategy_runtime.runtime.concurrency import gather_limited
from tests.chaos import virtual_time
from tests.chaos.virtual_time import VirtualLoop, VirtualTime


class Slow:
    """A venue that takes a second for each answer, and longer for the first ones."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.at_once = self.most = self.answered = 0

    async def answer(self, number: int) -> int:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await sleep(2 if number < 3 else 1)
        finally:
            self.at_once -= 1
        if number == self.fails_at:
            raise Unreachable("nobody answers")
        self.answered += 1
        return number

    async def ask(self, count: int) -> list[int]:
        return await gather_limited(partial(self.answer, number) for number in range(count))


def test_answers_come_in_the_order_of_the_questions_eight_at_a_time() -> None:
    venue, loop = Slow(), VirtualLoop()
    began = loop.time()
    assert virtual_time.run(venue.ask(80), loop, VirtualTime(loop)) == list(range(80))
    assert venue.most == 8
    assert loop.time() - began == 11


def test_where_one_fails_the_others_are_given_up() -> None:
    venue, loop = Slow(fails_at=10), VirtualLoop()
    with pytest.raises(Unreachable):
        virtual_time.run(venue.ask(80), loop, VirtualTime(loop))
    assert venue.answered < 16
    assert venue.at_once == 0


async def test_nothing_is_asked_where_there_is_no_question() -> None:
    assert await gather_limited([]) == []
