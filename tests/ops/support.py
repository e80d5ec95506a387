"""A run's status, and requests to an ops port."""

import json
import socket
import urllib.error
import urllib.request
from typing import Any

from strategy_runtime.runtime.status import OrderStatusLine, PositionStatus, RunStatus
from strategy_runtime.strategy.views import RiskState

__all__ = ["ask", "free_port", "status"]


def status(**changes: Any) -> RunStatus:
    """Return the status of a healthy run, with changes."""
    fields: dict[str, Any] = {
        "strategy": "Bot",
        "run_id": "abc",
        "mode": "live",
        "connected": True,
        "reconciled": True,
        "risk_state": RiskState.ACTIVE,
        "halted_symbols": ["S:B"],
        "complete": False,
        "failures": 0,
        "rejections": 0,
        "queued": 2,
        "last_event": "Candle",
        "last_event_at": "2024-01-02T14:31:00Z",
        "equity": "1000.5",
        "currency": "USD",
        "positions": [PositionStatus("S:A", "-3", "10", "1.5")],
        "open_orders": [OrderStatusLine("Bot-1", "S:A", "BUY", "LIMIT", "3", "0", "OPEN")],
    }
    return RunStatus(**(fields | changes))


def ask(url: str, host: str | None = None) -> tuple[int, Any]:
    """Return status and body, parsed if it is JSON, of a GET request."""
    request = urllib.request.Request(url, headers={"Host": host} if host else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            code, body = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            code, body = error.code, error.read().decode()
    return code, json.loads(body) if body.startswith("{") else body


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
