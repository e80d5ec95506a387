"""Whether a proxy plays a backtest or trades live."""

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
    """The mode that is wanted; where that is `auto`, the one that the proxy is made for.

    A proxy that says something else than what is wanted is warned of.

    A proxy that holds time still until events are acknowledged plays a backtest. One that does not
    offer to say what it can do is taken for live; one that cannot say it at the moment is asked
    again.

    Raises:
        ProtocolError: It refuses to say it.
        StrategyRuntimeError: It did not answer.
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
            _log.info("the proxy does not tell what it can do (%s): it is taken for live", error)
            return "live"
        raise ProtocolError(
            f"the proxy does not say whether it plays a backtest or trades live ({error}); "
            "say it with --mode, or STRATEGY_MODE"
        ) from None
    return "backtest" if _LOCK_STEP in capabilities.features else "live"
