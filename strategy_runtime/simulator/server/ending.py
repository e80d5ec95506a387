"""How a run ends, and what clients are told about it."""

import logging
from enum import Enum
from typing import NamedTuple

from aiohttp import WSCloseCode

from strategy_runtime.errors import DataError
from strategy_runtime.protocol.enums import CloseCode

__all__ = ["CLOSE_CODES", "LastWords", "RunEnd", "last_words"]

_log = logging.getLogger("strategy_runtime")


class RunEnd(Enum):
    """How a run ended."""

    COMPLETE = "complete"
    ACK_TIMEOUT = "ack timeout"
    FAILED = "the proxy failed"
    STOPPED = "stopped before the end"


CLOSE_CODES = {
    RunEnd.COMPLETE: WSCloseCode.OK,
    RunEnd.ACK_TIMEOUT: CloseCode.ACK_TIMEOUT,
    RunEnd.FAILED: WSCloseCode.INTERNAL_ERROR,
}


class LastWords(NamedTuple):
    """The error frame sent before closing, if a run did not complete."""

    code: str
    message: str
    details: object = None


def last_words(failure: Exception) -> LastWords:
    """Return what clients may know about an error in the replay; the log has the rest."""
    if isinstance(failure, DataError):
        return LastWords("DATA_ERROR", str(failure))
    _log.error("the replay failed", exc_info=failure)
    return LastWords("INTERNAL_ERROR", "the proxy failed; its log says why")
