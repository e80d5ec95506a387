"""A decoder that returns frame, id and warnings together."""

from msgspec import Struct

from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.codec import Frame, FrameDecoder, id_of

__all__ = ["Decoded", "Reading", "decode"]


class Decoded(Struct):
    """A frame, the id to acknowledge it by, and what was odd about it."""

    frame: Frame
    event_id: str | None
    warnings: tuple[str, ...]


class Reading(FrameDecoder):
    """A decoder that keeps its warnings."""

    def __init__(self, *, default_timeframe: str = "1m") -> None:
        super().__init__(default_timeframe=default_timeframe, on_warnings=self.note)
        self.warnings: list[str] = []

    def note(self, frame: Frame, warnings: list[str]) -> None:
        self.warnings += warnings

    def one(self, raw: bytes) -> Frame:
        """Decode one message; raise the error if it must be dropped."""
        (frame,) = self.decode([raw])
        if isinstance(frame, FrameError):
            raise frame
        return frame

    def read(self, raw: bytes) -> Decoded:
        self.warnings.clear()
        frame = self.one(raw)
        return Decoded(frame, id_of(frame), tuple(self.warnings))


def decode(raw: bytes | str) -> Decoded:
    """Decode one message with a new decoder."""
    return Reading().read(raw if isinstance(raw, bytes) else raw.encode(errors="surrogatepass"))
