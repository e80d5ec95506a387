"""Concurrent requests to a venue, a limited number at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

__all__ = ["gather_limited"]

_AT_A_TIME = 8  # few enough to leave room for orders and not to overload the venue

_T = TypeVar("_T")


async def gather_limited(requests: Iterable[Callable[[], Awaitable[_T]]]) -> list[_T]:
    """Await requests concurrently, and return the answers in the order of the requests.

    Raises:
        Exception: That of the first request to fail; the others are cancelled.
    """
    room = asyncio.Semaphore(_AT_A_TIME)

    async def answer(request: Callable[[], Awaitable[_T]]) -> _T:
        async with room:
            return await request()

    tasks = [asyncio.create_task(answer(request)) for request in requests]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
