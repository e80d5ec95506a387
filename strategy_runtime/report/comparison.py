"""Runs of one strategy that differ in its parameters, side by side."""

from collections.abc import Mapping, Sequence
from itertools import chain
from math import inf, nan
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from strategy_runtime.report.cells import rjust, width_of
from strategy_runtime.report.fills import csv_of
from strategy_runtime.report.performance import Performance
from strategy_runtime.report.summary import SCHEMA, Summary, as_written
from strategy_runtime.report.table import heading, number_of, ratio, share

__all__ = ["Comparison", "Trial"]

_SHOWN = 20
_CAUTION = "The best of many is partly luck: choose by some years, and look at others."
_COLUMNS = (
    *("return", "max_drawdown", *Performance.__struct_fields__),
    *("orders", "refused_orders", "rejected_orders", "fills", "fees", "equity"),
    *("complete", "bankrupt", "fill_hash", "failure"),
)
_TEXTS = ("fill_hash", "failure")
_GAIN = {"sortino": "return", "calmar": "annual_return", "profit_factor": "win_rate"}
"""Ratios that are missing where there was no loss, and what is above zero then."""


class Trial(Struct, frozen=True):
    """One run of a sweep.

    Attributes:
        parameters: The parameters of the run; as text, if it was a command.
        summary: The result, or None if the strategy failed.
        failure: Why it failed, or an empty string.
    """

    parameters: Mapping[str, Any]
    summary: Summary | None = None
    failure: str = ""


class Comparison:
    """All of the runs, the best first, then those that lack the figure, failures last; of equals
    the one that was asked for first.

    Args:
        by: The figure whose highest value is the best, named as in the document of a run; of
            `max_drawdown` it is the lowest. A ratio that is missing because nothing was lost is the
            highest.
    """

    def __init__(self, trials: Sequence[Trial], by: str) -> None:
        self._varied = _varied(trials)
        self._by = by
        self._rows = sorted(((trial, _figures(trial)) for trial in trials), key=self._rank)
        self.trials = [trial for trial, _ in self._rows]

    def _rank(self, row: tuple[Trial, dict[str, Any]]) -> tuple[bool, float]:
        trial, figures = row
        value = figures.get(self._by)
        if value is None and (figures.get(_GAIN.get(self._by, "")) or 0) > 0:
            value = inf
        if value is None:
            return True, trial.summary is None
        return False, value if self._by == "max_drawdown" else -value

    @property
    def failed(self) -> list[Trial]:
        """The runs in which the strategy failed."""
        return [trial for trial in self.trials if trial.summary is None]

    def table(self) -> dict[str, list[Any]]:
        """The columns of a table of all runs, for a data frame of any kind: the parameters that
        differ, and all figures, NaN if missing.
        """
        given = {name: [each.parameters.get(name) for each in self.trials] for name in self._varied}
        figures = {
            name: [_cell(name, figures.get(name)) for _, figures in self._rows] for name in _COLUMNS
        }
        return given | figures

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        """A heading, then a line for each of the best; ends with a line feed."""
        names = ["", *self._varied, "Return", "Drawdown", "Sharpe", "Trades", ""]
        rows = [names, *map(self._row, self.trials[:_SHOWN])]
        widths = [max(map(width_of, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(map(rjust, row, widths)).rstrip() for row in rows]
        more = len(self.trials) - _SHOWN
        return "\n".join(
            [
                *self._heading(),
                "",
                *table,
                *([f"and {more:,} more"] if more > 0 else []),
                *(
                    f"FAILED: {_said(trial.parameters)}: {trial.failure}"
                    for trial in self.failed[:_SHOWN]
                ),
                *(["", _CAUTION] if len(self.failed) < len(self.trials) else []),
                "",
            ]
        )

    def _heading(self) -> list[str]:
        order = f"{len(self.trials):,} runs, by {self._by}"
        summaries = [trial.summary for trial in self.trials if trial.summary]
        summary = max(summaries, key=attrgetter("end"), default=None)  # others may have ended early
        if summary is None:
            return [order]
        same = {name: each for name, each in summary.parameters.items() if name not in self._varied}
        held = summary.buy_and_hold
        held_text = "" if held is None else f"; buy and hold {share(held, signed=True)}"
        return [*heading(replace(summary, parameters=same)), order + held_text]

    def _row(self, trial: Trial) -> list[str]:
        given = self._given(trial)
        summary = trial.summary
        if summary is None:
            return ["", *given, "-", "-", "-", "-", "failed"]
        return [
            "",
            *given,
            share(summary.total_return, signed=True),
            share(-summary.max_drawdown),
            ratio(summary.performance.sharpe),
            f"{summary.performance.trades:,}",
            ", ".join(_remarks(summary)),
        ]

    def _given(self, trial: Trial) -> list[str]:
        return [_text(trial.parameters.get(name)) for name in self._varied]

    def to_csv(self) -> str:
        """A table of all runs, with all figures."""
        rows = []
        for trial, figures in self._rows:
            rows.append([*self._given(trial), *(_text(figures.get(name)) for name in _COLUMNS)])
        return csv_of([*self._varied, *_COLUMNS], rows)

    def to_json(self) -> str:
        """A document with the summaries of all runs, indented, ended by a line feed."""
        document = {
            "schema": SCHEMA,
            "by": self._by,
            "runs": [trial.summary for trial in self.trials if trial.summary is not None],
            "failed": [
                {"parameters": as_written(trial.parameters), "failure": trial.failure}
                for trial in self.failed
            ],
        }
        return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _figures(trial: Trial) -> dict[str, Any]:
    """What came of a run by the names it has in its document."""
    if trial.summary is None:
        return {"failure": trial.failure}
    document = msgspec.to_builtins(trial.summary)
    return {**document["performance"], **document, "failure": ""}


def _remarks(summary: Summary) -> list[str]:
    """What else there is to know of a run before its figures are believed."""
    turned_away = summary.refused_orders + summary.rejected_orders
    return [
        *(["bankrupt"] if summary.bankrupt else [] if summary.complete else ["ended early"]),
        *([f"{number_of(turned_away, 'order')} refused"] if turned_away else []),
    ]


def _varied(trials: Sequence[Trial]) -> list[str]:
    """The names of parameters in which some runs differ."""
    names = dict.fromkeys(chain.from_iterable(trial.parameters for trial in trials))
    return [
        name for name in names if len({_text(each.parameters.get(name)) for each in trials}) > 1
    ]


def _cell(name: str, value: Any) -> Any:
    if name in _TEXTS:
        return value or ""
    return nan if value is None else value if isinstance(value, bool) else float(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _said(parameters: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_text(value)}" for name, value in parameters.items())
