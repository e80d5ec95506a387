"""Frames that a strategy sends over the socket."""

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["ClientFrame", "ClientPing", "ClientPong", "EventAck"]


class EventAck(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="event_ack"
):
    """Acknowledges that events have been handled, so that simulated time may advance.

    Attributes:
        correlation_id: Unique to each acknowledgement, for logs only.
        events_processed: Ids exactly as received.
        timestamp: Wall clock in whole milliseconds since the epoch. Must be an integer: gateways
            ignore a frame with any other type, and the backtest stalls.
    """

    correlation_id: str
    events_processed: list[str]
    timestamp: Annotated[int, Meta(ge=0)] | None = None


class ClientPong(Struct, frozen=True, tag_field="type", tag="pong"):
    """Answers a ping."""


class ClientPing(Struct, frozen=True, tag_field="type", tag="ping"):
    """Asks for a pong; supported by the engine edition."""


ClientFrame = EventAck | ClientPong | ClientPing
