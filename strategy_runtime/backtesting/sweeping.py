"""Sweeps: many runs of a strategy with different parameters."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

from msgspec.structs import replace

from strategy_runtime.backtesting.reading import Source
from strategy_runtime.backtesting.run import Backtest, Conditions, conditions_of, drive
from strategy_runtime.backtesting.silence import silenced
from strategy_runtime.errors import ConfigError, HookFailed
from strategy_runtime.report.comparison import Comparison, Trial
from strategy_runtime.report.figures import FIGURES
from strategy_runtime.report.summary import Summary
from strategy_runtime.runtime.tracebacks import message_of
from strategy_runtime.simulator.data.load import LoadedData
from strategy_runtime.strategy import Strategy
from strategy_runtime.suggestions import did_you_mean

__all__ = ["sweep", "trials"]

_Values: TypeAlias = Mapping[str, Any]

_SWITCH = "PYTHONBREAKPOINT"
"""The variable that switches `breakpoint()` off, or to another debugger, for all of Python."""


def sweep(
    kind: type[Strategy],
    data: LoadedData | Source,
    parameters: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    *,
    by: str = "sharpe",
    processes: int | None = None,
    subscriptions: str = "",
    **options: Any,
) -> Comparison:
    """Backtest a strategy with many sets of parameters; returns the runs, best first, which print
    as a table.

    What the strategy prints or logs is discarded. If it fails, that run has a `failure` instead of
    a summary, and the others go on.

    Args:
        kind: The class of the strategy.
        data: As for `backtest`.
        parameters: Values by name, to run every combination, such as `{"fast": (5, 10, 20), "slow":
            (30, 50)}`; or a list of the sets themselves, one mapping for each run.
        by: Figure to rank by, such as `calmar`, `return` or `win_rate`. The highest is best; of
            `max_drawdown`, the lowest.
        processes: Number of runs at a time; by default the number of cores.
        subscriptions, options: As for `backtest`.

    Raises:
        DataError, TypeError: As for `backtest`.
        ConfigError: As for `backtest`; or, before anything runs, a parameter is unknown or has no
            values.
    """
    _check_class(kind)
    if by not in FIGURES:
        raise ConfigError(
            f"there is no figure {by!r} to order runs by"
            + (did_you_mean(str(by), FIGURES) or f"; there are {', '.join(FIGURES)}")
        )
    if processes is not None and (type(processes) is not int or processes < 1):
        raise ConfigError(f"processes must be a whole number above 0, not {processes!r}")
    sets = _sets_of(parameters)
    for each in sets:
        kind.parameters().resolve(each)
    conditions = conditions_of(data, subscriptions, options)
    runs = trials(kind.__name__, lambda values: kind(**values), conditions, sets, processes)
    return Comparison([*runs], by)


def trials(
    name: str,
    make: Callable[[_Values], Strategy],
    conditions: Conditions,
    sets: Sequence[_Values],
    processes: int | None,
) -> Iterator[Trial]:
    """Yield the result of a run with each set of parameters, in order.

    Args:
        name: Name of the strategy's class.
        make: Make an object of it.
        processes: As for `sweep`.
    """
    from strategy_runtime.backtesting.processes import map_in_processes

    run = partial(_run, name, make, conditions)
    runs = map_in_processes(sets, run, processes or os.cpu_count() or 1)
    before: Summary | None = None
    # Values are not sent back from other processes: some, as of a local class, could not be.
    for values, (summary, failure) in zip(sets, runs, strict=True):
        shared = None if summary is None else _sharing(before, summary)
        yield Trial(values, shared, failure)
        before = shared or before


def _sharing(before: Summary | None, summary: Summary) -> Summary:
    """Return a summary with the lists of an earlier one where they are equal: those of what was
    read and sent, which with hundreds of symbols are most of it.
    """
    if before is None:
        return summary
    lists = {name: getattr(before, name) for name in ("data", "sent", "data_faults")}
    equal = {name: kept for name, kept in lists.items() if kept == getattr(summary, name)}
    return replace(summary, **equal)


def _check_class(kind: object) -> None:
    if not isinstance(kind, type) or not issubclass(kind, Strategy):
        name = type(kind).__name__
        hint = f": sweep({name}, …)" if isinstance(kind, Strategy) else f", and no {name}"
        raise TypeError(f"sweep() takes the class of your strategy{hint}")


def _sets_of(parameters: object) -> list[_Values]:
    sets: list[Any] = []
    if isinstance(parameters, Mapping):
        several = {name: _several(name, value) for name, value in parameters.items()}
        sets += (dict(zip(several, each, strict=True)) for each in product(*several.values()))
    elif isinstance(parameters, Iterable):
        sets += parameters
    if not sets or not all(isinstance(each, Mapping) for each in sets):
        raise ConfigError(
            "parameters are values by name, such as {'fast': (5, 10, 20)}, or a list with a "
            f"mapping for each run, and not {parameters!r}"
        )
    return sets


def _several(name: str, value: Any) -> list[Any]:
    """Return the values of a parameter as a list."""
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return [value]
    several = [*value]
    if not several:
        raise ConfigError(f"{name} has no values: write them as in {{{name!r}: (5, 10, 20)}}")
    return several


def _run(
    name: str, make: Callable[[_Values], Strategy], conditions: Conditions, values: _Values
) -> tuple[Summary | None, str]:
    """Run once without output; return the summary, or why the strategy failed."""
    with silenced(), Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), _undebugged():
        try:
            strategy = make(values)
        except (Exception, SystemExit) as error:
            return None, f"{name} was not made: {_named(error)}"
        run = Backtest(strategy, conditions)
        try:
            drive(run)
        except HookFailed as failure:
            return None, f"{failure}: {_named(failure.__cause__)}"
        except SystemExit as error:
            return None, f"one of its tasks ended the process: {_named(error)}"
        return run.results().summary, ""


@contextmanager
def _undebugged() -> Iterator[None]:
    """Make `breakpoint()` fail instead of waiting at a prompt that nobody would see.

    One that is switched off, or opens the window of a debugger, does no harm.
    """
    if sys.breakpointhook is not sys.__breakpointhook__ or os.environ.get(_SWITCH) == "0":
        yield
        return
    sys.breakpointhook = _refuse_to_stop
    try:
        yield
    finally:
        sys.breakpointhook = sys.__breakpointhook__


def _refuse_to_stop(*_: object, **__: object) -> None:
    raise RuntimeError(
        "breakpoint() in a sweep, where nobody sees its prompt: run these parameters alone, with "
        "strategy-backtest or backtest()"
    )


def _named(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {message_of(error)}"
