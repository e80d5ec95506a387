"""Hints where to find what other engines have as attributes of their results."""

from strategy_runtime.report.performance import Performance
from strategy_runtime.report.summary import Summary
from strategy_runtime.simulator.outcome import Outcome
from strategy_runtime.suggestions import nearest

__all__ = ["hint_for_attribute"]

_OF_THE_SUMMARY = {name: f"results.summary.{name}" for name in Summary.__struct_fields__}
_OF_THE_OUTCOME = {name: f"results.outcome.{name}" for name in Outcome.__struct_fields__}
_FIGURES = {name: f"results.summary.performance.{name}" for name in Performance.__struct_fields__}
_BY_DAY = "results.days, or as columns results.table('equity')"
_PLACES = {
    **_OF_THE_OUTCOME,
    **_OF_THE_SUMMARY,
    **_FIGURES,
    **{name: _OF_THE_OUTCOME[name] for name in ("fills", "orders", "positions")},
    **dict.fromkeys(("trades", "_trades"), "results.trips, or as columns results.table('trips')"),
    **dict.fromkeys(("equity", "equity_curve", "_equity_curve", "returns"), _BY_DAY),
    **dict.fromkeys(("stats", "metrics"), "results.summary, and results print as a table"),
    "plot": "the report that write_results(folder, results) writes",
    "sharpe_ratio": _FIGURES["sharpe"],
}


def hint_for_attribute(name: str) -> str:
    """Return a fragment such as `; it is results.summary.cash`, or "" if no name is similar."""
    near = name if name in _PLACES else nearest(name, _PLACES)
    return f"; it is {_PLACES[near]}" if near else ""
