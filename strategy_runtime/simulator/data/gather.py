"""What a file has, by kind and symbol: the collectors its reader feeds."""

from collections.abc import Sequence

from strategy_runtime.simulator.data.faults import DataFault
from strategy_runtime.simulator.data.rows import BarCollector, QuoteCollector, TickCollector

__all__ = ["FileCollectors"]


class FileCollectors:
    """Collectors of one file, made when a symbol is first met.

    Args:
        file: Position of the file among the sources.
        default_symbol: Of a file without a symbol column.
        only_symbol: Where given, other symbols of a file with such a column are passed over.
    """

    def __init__(
        self,
        file: int,
        sources: Sequence[str],
        faults: list[DataFault],
        default_symbol: str,
        only_symbol: str | None,
    ) -> None:
        self.source = sources[file]
        self.default_symbol = default_symbol
        self.only_symbol = only_symbol
        self.bars: dict[str, BarCollector] = {}
        self.quotes: dict[str, QuoteCollector] = {}
        self.ticks: dict[str, TickCollector] = {}
        self._file = file
        self._sources = sources
        self._faults = faults

    def bars_of(self, symbol: str) -> BarCollector:
        """Where bars go."""
        found = self.bars.get(symbol)
        if found is None:
            found = self.bars[symbol] = BarCollector(
                symbol, self._file, self._sources, self._faults
            )
        return found

    def quotes_of(self, symbol: str) -> QuoteCollector:
        """Where quotes go."""
        found = self.quotes.get(symbol)
        if found is None:
            found = self.quotes[symbol] = QuoteCollector(
                symbol, self._file, self._sources, self._faults
            )
        return found

    def ticks_of(self, symbol: str) -> TickCollector:
        """Where trades go."""
        found = self.ticks.get(symbol)
        if found is None:
            found = self.ticks[symbol] = TickCollector(
                symbol, self._file, self._sources, self._faults
            )
        return found
