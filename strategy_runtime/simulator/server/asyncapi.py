"""The event stream as an AsyncAPI 3.0 document, generated from the structs that are sent."""

from typing import Any

from msgspec import Struct

from strategy_runtime.protocol.commands import ClientPing, ClientPong, EventAck
from strategy_runtime.protocol.events import (
    AccountEvent,
    BacktestComplete,
    CandleFrame,
    ConnectionEvent,
    FinancingEvent,
    OrderEvent,
    Ping,
    Pong,
    PositionEvent,
    ProxyErrorEvent,
    QuoteFrame,
    RateLimitEvent,
    StalenessEvent,
    TradeEvent,
)
from strategy_runtime.protocol.models import Account, Candle, Order, Position, Quote, Trade
from strategy_runtime.simulator.server.schemas import ref, schemas

__all__ = ["NEVER_SENT", "RECEIVED", "SENT", "asyncapi"]

NEVER_SENT: tuple[type[Struct], ...] = (RateLimitEvent, StalenessEvent)
"""What only a proxy with a broker behind it has to say; described for those who write one."""

SENT: tuple[type[Struct], ...] = (
    ConnectionEvent,
    CandleFrame,
    QuoteFrame,
    OrderEvent,
    TradeEvent,
    AccountEvent,
    PositionEvent,
    FinancingEvent,
    ProxyErrorEvent,
    BacktestComplete,
    Ping,
    Pong,
    *NEVER_SENT,
)
RECEIVED: tuple[type[Struct], ...] = (EventAck, ClientPong, ClientPing)

_WITHIN = (Account, Candle, Order, Position, Quote, Trade)
_CHANNEL = {"$ref": "#/channels/stream"}


def asyncapi(version: str, host: str) -> dict[str, Any]:
    """Return the document.

    Args:
        version: Version of the package.
        host: Host and port at which the client reached the proxy.
    """
    found = schemas(sent=[*SENT, *_WITHIN], taken=RECEIVED)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "strategy-proxy",
            "version": version,
            "description": "Simulated time moves on when every frame with an event_id has been "
            "acknowledged; by the clock, acknowledgements change nothing.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "proxy": {
                "host": host,
                "protocol": "ws",
                "description": "A key, where one is set, is sent on connecting.",
            }
        },
        "channels": {
            "stream": {
                "address": "/",
                "description": "Also at /ws and /v1/ws. CONNECTED is the first frame.",
                "messages": {
                    struct.__name__: {"$ref": f"#/components/messages/{struct.__name__}"}
                    for struct in (*SENT, *RECEIVED)
                },
            }
        },
        "operations": {
            "send": {"action": "send", "channel": _CHANNEL, "messages": _messages(SENT)},
            "receive": {"action": "receive", "channel": _CHANNEL, "messages": _messages(RECEIVED)},
        },
        "components": {
            "messages": {
                struct.__name__: {
                    "name": str(struct.__struct_config__.tag),
                    "summary": found[struct.__name__]["description"],
                    "payload": ref(struct.__name__),
                }
                for struct in (*SENT, *RECEIVED)
            },
            "schemas": found,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "httpApiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _messages(structs: tuple[type[Struct], ...]) -> list[dict[str, str]]:
    return [{"$ref": f"#/channels/stream/messages/{struct.__name__}"} for struct in structs]
