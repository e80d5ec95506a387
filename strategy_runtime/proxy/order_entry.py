"""Order entry: one order to the proxy, effectively once; `submission` has the rules."""

import asyncio
from collections.abc import Callable

from strategy_runtime.clock import monotonic
from strategy_runtime.errors import (
    ApiError,
    ConnectionLost,
    ProtocolError,
    StrategyRuntimeError,
    Unreachable,
)
from strategy_runtime.protocol.models import Order, OrderHandle, OrderRequest
from strategy_runtime.proxy.requests import RestClient
from strategy_runtime.proxy.resources import Resources
from strategy_runtime.proxy.submission import OrderAct, Patience, Submission

__all__ = ["OrderEntry"]

_KNOWS_IDS = "client_order_id_dedupe"


class OrderEntry:
    """Sends orders, and finds out what became of them where that is not clear.

    Args:
        resources: Where orders that carry an id of ours are looked for, and what the proxy can do.
        is_leaving: Whether the proxy has said that it goes down: then nothing is begun any more.
    """

    def __init__(
        self,
        requests: RestClient,
        patience: Patience,
        resources: Resources,
        *,
        is_leaving: Callable[[], bool],
    ) -> None:
        self._requests = requests
        self._patience = patience
        self._resources = resources
        self._is_leaving = is_leaving
        self._knows_ids: bool | None = None
        self._awaited: dict[str, asyncio.Future[Order]] = {}

    def sighted(self, order: Order) -> None:
        """An event has an order: if its answer is outstanding, this is one."""
        if self._awaited:
            waiting = self._awaited.get(order.client_order_id or "")
            if waiting is not None and not waiting.done():
                waiting.set_result(order)

    async def submit(self, request: OrderRequest) -> OrderHandle:
        """Place an order.

        Raises:
            ApiError: It was refused.
            FateUnknown: Nobody can say whether it arrived.
            Unreachable: It was never sent.
        """
        submission = Submission(
            request,
            dedupes=await self._ask_whether_it_knows_ids(),
            now=monotonic(),
            patience=self._patience,
        )
        own_id = request.client_order_id or ""
        sighted = self._awaited[own_id] = asyncio.get_running_loop().create_future()
        try:
            while not submission.is_done:
                step = submission.next(monotonic())
                if step.act is OrderAct.WAIT:
                    await asyncio.wait({sighted}, timeout=step.seconds)
                elif step.act is OrderAct.SEND:
                    await self._send(submission)
                else:
                    await self._look_up(submission, own_id)
                if sighted.done():
                    submission.sighted(sighted.result())
        finally:
            del self._awaited[own_id]
        if submission.handle is None:
            raise submission.error or ConnectionLost("the order was not answered")
        return submission.handle

    async def _send(self, submission: Submission) -> None:
        if self._is_leaving():
            submission.failed(Unreachable("the proxy is going down"), monotonic(), None)
            return
        try:
            handle = await self._requests.send("/orders", submission.request, OrderHandle)
        except StrategyRuntimeError as error:
            wait = error.retry_after if isinstance(error, ApiError) else None
            submission.failed(error, monotonic(), wait)
        else:
            submission.accepted(handle)

    async def _look_up(self, submission: Submission, own_id: str) -> None:
        try:
            found = await self._resources.orders(client_order_id=own_id)
        except StrategyRuntimeError:
            submission.not_told(monotonic())
            return
        if found:
            submission.sighted(found[0])
        else:
            submission.absent(monotonic())

    async def _ask_whether_it_knows_ids(self) -> bool:
        """Whether the proxy promises to know the id of an order again; one answer is enough."""
        if self._knows_ids is None:
            try:
                features = (await self._resources.capabilities()).features
            except (ApiError, ProtocolError):
                features = []
            except StrategyRuntimeError:
                return False
            self._knows_ids = _KNOWS_IDS in features
        return self._knows_ids
