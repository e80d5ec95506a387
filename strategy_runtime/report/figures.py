"""The figures by which runs are put in order."""

__all__ = ["FIGURES"]

FIGURES = (
    *("sharpe", "sortino", "calmar", "return", "annual_return", "max_drawdown"),
    *("profit_factor", "average_trade", "win_rate"),
)
"""Named as in the document of a run."""
