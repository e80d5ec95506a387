"""Detection of the mode: whether a proxy plays a backtest or trades live."""

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from strategy_runtime.errors import ApiError, ProtocolError, StrategyRuntimeError
from strategy_runtime.runtime.retries import with_retries

if TYPE_CHECKING:
    from strategy_runtime.runtime.venue import Venue
    from strategy_runtime.strategy.desk import Mode

__all__ = ["mode_of"]

_LOCK_STEP = "lock_step"
_CONTRADICTED: "dict[Mode, str]" = {
    "live": "the mode is live, but the proxy plays a backtest and waits for acknowledgements: its "
    "time runs ahead of what this run orders",
    "backtest": "the mode is backtest, but the proxy does not say that it waits for "
    "acknowledgements: should it trade live, this run keeps neither a journal of orders nor state",
}

_log = logging.getLogger("strategy_runtime")


async def mode_of(venue: "Venue", wanted: "Mode | Literal['auto']") -> "Mode":
    """Return the wanted mode or, if that is `auto`, the mode of the proxy.

    If the proxy contradicts the wanted mode, a warning is logged.

    A proxy that stops time until events are acknowledged plays a backtest. A proxy without a list
    of capabilities is taken for live; one that is unavailable at the moment is asked again.

    Raises:
        ProtocolError: The proxy refuses to list its capabilities.
        StrategyRuntimeError: The proxy did not answer.
    """
    if wanted != "auto":
        with suppress(StrategyRuntimeError):
            plays_backtest = _LOCK_STEP in (await venue.capabilities()).features
            if plays_backtest is not (wanted == "backtest"):
                _log.warning("%s", _CONTRADICTED[wanted])
        return wanted
    try:
        capabilities = await with_retries(venue.capabilities, "what the proxy can do")
    except ApiError as error:
        if error.is_not_offered:
            _log.info("the proxy does not list its capabilities (%s): it is taken for live", error)
            return "live"
        raise ProtocolError(
            f"the proxy does not say whether it plays a backtest or trades live ({error}); "
            "say it with --mode, or STRATEGY_MODE"
        ) from None
    return "backtest" if _LOCK_STEP in capabilities.features else "live"
