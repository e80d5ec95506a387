"""What a decoder makes of a message, all of it together."""

from msgspec import Struct

from strategy_runtime.protocol.codec import Frame, FrameDecoder

__all__ = ["Decoded", "Reading", "decode", "id_of"]


class Decoded(Struct):
    """A frame, the id to acknowledge it by, and what was odd about it."""

    frame: Frame
    event_id: str | None
    warnings: tuple[str, ...]


class Reading(FrameDecoder):
    """A decoder that gives back what was odd, too."""

    def __init__(self, *, default_timeframe: str = "1m") -> None:
        super().__init__(default_timeframe=default_timeframe, odd=self.note)
        self.warnings: list[str] = []

    def note(self, frame: Frame, warnings: list[str]) -> None:
        self.warnings += warnings

    def read(self, raw: bytes) -> Decoded:
        self.warnings.clear()
        frame = self.decode(raw)
        return Decoded(frame, id_of(frame), tuple(self.warnings))


def id_of(frame: Frame) -> str | None:
    """The id to acknowledge a frame by."""
    return frame.event_id or frame.legacy_id or None


def decode(raw: bytes | str) -> Decoded:
    """Read one message with a fresh decoder."""
    return Reading().read(raw if isinstance(raw, bytes) else raw.encode(errors="surrogatepass"))
