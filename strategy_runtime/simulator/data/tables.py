"""Takes over tables in memory, such as data frames of pandas and polars, by way of Arrow."""

from typing import Any, NamedTuple, Protocol

from strategy_runtime.errors import DataError

__all__ = ["Frame", "Table", "is_frame", "table_of"]

_FIELDS = {"open", "close", "bid", "ask", "price"}
_PRICES = {*_FIELDS, "high", "low"}
_COLUMNS = ("Series", "ChunkedArray")


class Frame(Protocol):
    """An object that exports its columns by Arrow's C interface: a pandas or polars data frame, or
    a pyarrow table.
    """

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """See the Arrow PyCapsule interface."""
        ...


class Table(NamedTuple):
    """A table to read.

    Attributes:
        symbol: Symbol of rows without one; None if each row must have one.
        arrow: The pyarrow table.
    """

    symbol: str | None
    arrow: Any

    def __str__(self) -> str:
        return "the table" if self.symbol is None else f"the table of {self.symbol}"


def is_frame(thing: object) -> bool:
    """Return whether an object can be read as a table, and is not just one column."""
    if type(thing).__name__ in _COLUMNS:
        return False
    return hasattr(thing, "__arrow_c_stream__") or _is_of_pandas(thing)


def table_of(frame: Any, symbol: str | None) -> Table:
    """Return a data frame as a table.

    Raises:
        DataError: It cannot be converted, or pyarrow is missing.
    """
    try:
        import pyarrow
    except ImportError:
        raise DataError(
            "reading a table needs one more package: pip install 'strategy-runtime[parquet]'"
        ) from None
    table = Table(symbol, None)
    try:
        if _is_of_pandas(frame):
            arrow = pyarrow.Table.from_pandas(_flat(frame))
        else:
            arrow = pyarrow.table(frame)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"{table} cannot be read: {error}") from None
    return table._replace(arrow=arrow)


def _is_of_pandas(thing: object) -> bool:
    kind = type(thing)
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ == "DataFrame"


def _flat(frame: Any) -> Any:
    """Return a pandas data frame with its index as leading columns; symbols that are a level of its
    columns, side by side, are stacked into rows.
    """
    if frame.columns.nlevels == 2:
        names = {str(name).lower() for name in frame.columns.get_level_values(0)}
        frame = frame.stack(1 if names & _FIELDS else 0, future_stack=True)
        frame.index = frame.index.set_names([frame.index.names[0] or "time", "symbol"])
        # While one symbol has no prices, others have.
        prices = [name for name in frame.columns if str(name).lower() in _PRICES]
        frame = frame.dropna(how="all", subset=prices or None)
    if type(frame.index).__name__ == "PeriodIndex":
        frame = frame.to_timestamp()
    is_counted = type(frame.index).__name__ == "RangeIndex"
    return frame if is_counted else frame.reset_index()
