"""What other engines and client libraries call things, for hints to those who come from there."""

from collections.abc import Mapping
from typing import Any

from strategy_runtime.protocol.models import Candle, Order
from strategy_runtime.strategy import AccountView, NetPosition, Strategy, Ticket

__all__ = ["ARGUMENTS", "NAMES"]

NAMES: Mapping[type[Any], Mapping[str, str]] = {
    Strategy: {
        **dict.fromkeys(("data", "datas"), "candle, and before it self.history(symbol, n)"),
        **dict.fromkeys(("I", "ta"), "self.sma(…), self.indicator(…) and the like, in on_start"),
        **dict.fromkeys(("broker", "fetchbalance", "portfolio", "wallets"), "self.account"),
        **dict.fromkeys(("p", "params"), "the parameter's own name, as in self.fast"),
        **dict.fromkeys(("clock", "currenttime", "currenttimestamp", "time"), "self.now"),
        **dict.fromkeys(
            ("fetchohlcv", "fetchticker"), "self.history(symbol, n) and self.last(symbol)"
        ),
        **dict.fromkeys(("fetchopenorders", "getopenorders", "openorders"), "self.orders(symbol)"),
        "cache": "self.position(symbol), self.orders(symbol) and self.history(symbol, n)",
        "symbol": "candle.symbol",
        "cash": "self.account.margin_available",
        **dict.fromkeys(("ordertargetpercent", "setholdings"), "self.target(symbol, fraction=…)"),
        "ordertargetvalue": "self.target(symbol, notional=…)",
        "ordertarget": "self.target(symbol, quantity=…)",
        **dict.fromkeys(
            (
                *("createlimitorder", "createmarketorder", "createorder", "limitorder", "order"),
                *("marketorder", "orderfactory", "placeorder", "stoporder", "submitorder"),
            ),
            "self.buy(…) and self.sell(…)",
        ),
        **dict.fromkeys(("bracketorder", "buybracket"), "self.buy(…, stop_loss=…, take_profit=…)"),
        "sellbracket": "self.sell(…, stop_loss=…, take_profit=…)",
        **dict.fromkeys(
            ("addtimer", "schedule", "schedulefunction", "settimer"),
            "self.every(…) and self.at(…)",
        ),
        "getposition": "self.position(symbol)",
        **dict.fromkeys(
            ("trades", "closedtrades"),
            "self.position(symbol) while it is open, on_position when it closes, and results.trips "
            "after the run",
        ),
        **dict.fromkeys(("closeposition", "liquidate"), "self.close(symbol)"),
        **dict.fromkeys(("closeallpositions", "flatten"), "self.close_all()"),
        **dict.fromkeys(
            ("subscribe", "subscribebars", "subscribequoteticks"), "the option --subscriptions"
        ),
        "consolidate": "a coarser candle, as in --subscriptions S:AAPL:candle_1h",
        **dict.fromkeys(("setwarmup", "warmup"), "done by the runtime, for all indicators"),
        **dict.fromkeys(
            ("debug", "info", "warning"), "self.log.info('bought', price=candle.close)"
        ),
    },
    NetPosition: {
        "close": "self.close(symbol)",
        "size": "quantity",
        "price": "average_entry_price",
        "pl": "unrealized_pnl",
    },
    AccountView: {"cash": "margin_available"},
    Order: {"cancel": "self.cancel(order)"},
    Ticket: {"cancel": "self.cancel(ticket)"},
    Candle: dict.fromkeys(("date", "datetime", "time"), "timestamp, the start of the bar"),
}
"""Names that such an object has in other engines, and what to write here.

Those of more than one letter stand without capitals and underscores.
"""

ARGUMENTS: Mapping[str, str] = {
    "size": "fraction=0.1 for a tenth of equity, or a quantity in units",
    "sl": "stop_loss=",
    "tp": "take_profit=",
    **dict.fromkeys(("price", "exectype"), "limit= or stop="),
}
"""Arguments of orders in other engines, and what to write here."""
