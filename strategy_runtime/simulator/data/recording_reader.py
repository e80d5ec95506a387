"""Reads candles and quotes from recordings, which have one message of a proxy per line."""

from collections.abc import Iterable, Iterator
from typing import IO, Any

from strategy_runtime.errors import DataError, FrameError
from strategy_runtime.protocol.events import CandleFrame, QuoteFrame
from strategy_runtime.simulator.data.columns import Kind
from strategy_runtime.simulator.data.faults import FaultKind, FaultLog
from strategy_runtime.simulator.data.rows import Collect
from strategy_runtime.simulator.data.timestamps import stamp_of

__all__ = ["read_recording"]

_BLOCK = 1 << 20

_Key = tuple[Kind, str, str]
_Row = tuple[Any, ...]


def read_recording(
    stream: IO[bytes],
    source: str,
    collect: Collect,
    faults: FaultLog,
) -> None:
    """Read the candles and quotes of a recording.

    A line that is no message, as a killed process leaves behind, is a fault.

    Raises:
        DataError: No line is a message.
    """
    is_recording = False
    for first, frames in _decoded(stream):
        found: dict[_Key, list[_Row]] = {}
        for line, frame in enumerate(frames, first):
            if isinstance(frame, FrameError):
                faults.note(FaultKind.UNREADABLE, source, line, "", str(frame))
                continue
            is_recording = True
            try:
                if isinstance(frame, CandleFrame):
                    bar = frame.bar
                    key = Kind.BARS, bar.symbol, bar.timeframe
                    numbers = bar.open, bar.high, bar.low, bar.close, bar.volume
                    found.setdefault(key, []).append((line, stamp_of(bar.timestamp), *numbers))
                elif isinstance(frame, QuoteFrame):
                    quote = frame.quote
                    stamp = quote.timestamp or frame.timestamp
                    if stamp is None:
                        raise ValueError("the quote has no time")
                    row = line, stamp_of(stamp), quote.bid, quote.ask
                    found.setdefault((Kind.QUOTES, quote.symbol, ""), []).append(row)
            except ValueError as error:
                faults.note(FaultKind.UNREADABLE, source, line, "", str(error))
        for (kind, symbol, timeframe), rows in found.items():
            together = collect(kind, symbol, timeframe)
            if together is not None:
                together.extend(*zip(*rows, strict=True))
    if not is_recording:
        raise DataError(
            f"{source} is no recording of `strategy-run --record`; other data are read from CSV or "
            "Parquet"
        )


def _decoded(stream: IO[bytes]) -> Iterator[tuple[int, Iterable[Any]]]:
    """Yield the messages of each block of lines, with the number of its first line."""
    from strategy_runtime.protocol.codec import FrameDecoder  # few backtests need it

    decode, line = FrameDecoder().decode, 1
    while block := stream.readlines(_BLOCK):
        yield line, decode(block)
        line += len(block)
