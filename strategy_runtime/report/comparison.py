"""The comparison of a sweep's runs."""

from collections.abc import Mapping, Sequence
from itertools import chain
from math import inf, nan
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from strategy_runtime.report.cells import rjust, width_of
from strategy_runtime.report.csv_tables import csv_of
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
"""Ratios that are missing if there was no loss, and the figure that is above zero in that case."""


class Trial(Struct, frozen=True):
    """One run of a sweep.

    Attributes:
        parameters: The parameters of the run; as text, if a command ran it.
        summary: The result, or None if the strategy failed.
        failure: Why it failed, or an empty string.
    """

    parameters: Mapping[str, Any]
    summary: Summary | None = None
    failure: str = ""


class Comparison:
    """All runs, the best first, then those without the figure, failures last; equal ones stay in
    the order in which they were run.

    Args:
        by: The figure to rank by, named as in the JSON document of a run. The highest is best; of
            `max_drawdown`, the lowest. A ratio that is missing because nothing was lost is highest.
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
        """Return the columns of a table of all runs, for a data frame of any kind: the parameters
        that differ, and all figures, NaN if missing.
        """
        given = {name: [each.parameters.get(name) for each in self.trials] for name in self._varied}
        figures = {
            name: [_cell(name, figures.get(name)) for _, figures in self._rows] for name in _COLUMNS
        }
        return given | figures

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        """Return a heading and one line for each of the best runs, with a final line feed."""
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
                    f"FAILED: {_listed(trial.parameters)}: {trial.failure}"
                    for trial in self.failed[:_SHOWN]
                ),
                *(["", _CAUTION] if len(self.failed) < len(self.trials) else []),
                "",
            ]
        )

    def _heading(self) -> list[str]:
        order = f"{len(self.trials):,} runs, by {self._by}"
        summaries = [trial.summary for trial in self.trials if trial.summary]
        # The latest end, because some runs may have ended early.
        summary = max(summaries, key=attrgetter("end"), default=None)
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
        """Return a table of all runs, with all figures."""
        rows = []
        for trial, figures in self._rows:
            rows.append([*self._given(trial), *(_text(figures.get(name)) for name in _COLUMNS)])
        return csv_of([*self._varied, *_COLUMNS], rows)

    def to_json(self) -> str:
        """Return a document with the summaries of all runs, indented, with a final line feed."""
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
    """Return the figures of a run, named as in its JSON document."""
    if trial.summary is None:
        return {"failure": trial.failure}
    document = msgspec.to_builtins(trial.summary)
    named = {**document["performance"], **document, "failure": ""}
    return {name: named[name] for name in _COLUMNS}  # the rest may be long: data, positions


def _remarks(summary: Summary) -> list[str]:
    """Return reasons to doubt the figures of a run."""
    turned_away = summary.refused_orders + summary.rejected_orders
    return [
        *(["bankrupt"] if summary.bankrupt else [] if summary.complete else ["ended early"]),
        *([f"{number_of(turned_away, 'order')} refused"] if turned_away else []),
    ]


def _varied(trials: Sequence[Trial]) -> list[str]:
    """Return the names of the parameters in which runs differ."""
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


def _listed(parameters: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_text(value)}" for name, value in parameters.items())
