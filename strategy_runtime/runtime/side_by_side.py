"""Many questions of one kind to a venue: several at a time, for each may take long by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

__all__ = ["side_by_side"]

_AT_A_TIME = 8  # few enough to leave room for orders, and not to be too many for the venue

_T = TypeVar("_T")


async def side_by_side(questions: Iterable[Callable[[], Awaitable[_T]]]) -> list[_T]:
    """The answers, in the order of the questions.

    Raises:
        Exception: What the first question that failed has raised; the others are given up.
    """
    room = asyncio.Semaphore(_AT_A_TIME)

    async def answer(question: Callable[[], Awaitable[_T]]) -> _T:
        async with room:
            return await question()

    tasks = [asyncio.create_task(answer(question)) for question in questions]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
