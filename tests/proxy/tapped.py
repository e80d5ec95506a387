"""A network that notes every message that passes, whoever sent it."""

import json
from collections.abc import Sequence
from typing import Any

from strategy_runtime.proxy.network import Network
from strategy_runtime.proxy.transport import Answer, Closed, Receiver, Socket

__all__ = ["TappedNetwork"]


class TappedNetwork(Network):
    """The network itself.

    Attributes:
        passed: Frames of both sides, and bodies of requests and answers.
    """

    def __init__(self) -> None:
        super().__init__(headers={}, heartbeat=None, max_frame=2**20)
        self.passed: list[Any] = []

    async def connect(self, url: str, receiver: Receiver) -> Any:
        tap = _Tap(self.passed, receiver)
        tap.socket = await super().connect(url, tap)
        return tap

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        answer = await super().request(method, url, body)
        self.passed += [json.loads(each) for each in (body, answer.body) if each]
        return answer


class _Tap:
    socket: Socket

    def __init__(self, passed: list[Any], receiver: Receiver) -> None:
        self._passed = passed
        self._receiver = receiver

    def feed(self, messages: list[bytes]) -> Sequence[bytes]:
        self._passed += map(json.loads, messages)
        return self._receiver.feed(messages)

    def lost(self, closed: Closed) -> None:
        self._receiver.lost(closed)

    def send(self, frame: bytes) -> bool:
        self._passed.append(json.loads(frame))
        return self.socket.send(frame)

    async def close(self) -> None:
        await self.socket.close()
