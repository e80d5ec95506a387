"""The figures by which a sweep can rank its runs."""

__all__ = ["FIGURES"]

FIGURES = (
    *("sharpe", "sortino", "calmar", "return", "annual_return", "max_drawdown"),
    *("profit_factor", "average_trade", "win_rate"),
)
"""Names as in the JSON document of a run."""
