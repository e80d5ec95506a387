"""Errors that the proxy reports are logged, whether or not the strategy has a hook for them."""

import pytest

from strategy_runtime import ProxyErrorEvent, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import ConnectionEvent
from strategy_runtime.runtime.runner import Runner
from tests.runtime.virtual_run import live_run, market


class Deaf(Strategy):
    """Has no hooks."""


class Listens(Strategy):
    """Has a hook for errors of the proxy."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: list[str] = []

    def on_proxy_error(self, event: ProxyErrorEvent) -> None:
        self.codes.append(event.code)


@pytest.mark.parametrize("kind", [Deaf, Listens])
def test_it_is_logged(kind: type[Strategy], caplog: pytest.LogCaptureFixture) -> None:
    exchange, strategy = market(), kind()
    trouble = (
        ProxyErrorEvent(code="POSITION_UNPROTECTED", message="no stop for S:A"),
        ConnectionEvent(event=ConnectionEventKind.BROKER_DISCONNECTED, broker="alpaca-live"),
        ConnectionEvent(
            event=ConnectionEventKind.BROKER_CONNECTION_FAILED, broker="b", error="gave up"
        ),
    )

    async def tell(runner: Runner) -> None:
        await sleep(5)
        exchange.outbox.extend(trouble)
        await sleep(5)

    live_run(strategy, tell, exchange=exchange)
    said = [
        (record.levelname, record.getMessage().removeprefix("the proxy reports "))
        for record in caplog.records
        if record.getMessage().startswith("the proxy reports ")
    ]
    assert said == [
        ("ERROR", "POSITION_UNPROTECTED: no stop for S:A"),
        ("WARNING", "BROKER_DISCONNECTED: alpaca-live"),
        ("ERROR", "BROKER_CONNECTION_FAILED: b: gave up"),
    ]
    if isinstance(strategy, Listens):
        assert strategy.codes == ["POSITION_UNPROTECTED"]
