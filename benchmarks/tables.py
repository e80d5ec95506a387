"""Tables of results, as Markdown and JSON."""

from typing import Any

from msgspec import Struct

__all__ = ["Table", "markdown", "rounded"]


class Table(Struct, kw_only=True):
    """One figure.

    Attributes:
        title: What was measured.
        rows: Cells by column; all rows have the same columns.
        note: What readers need to know.
    """

    title: str
    rows: list[dict[str, Any]]
    note: str = ""


def rounded(value: float) -> float:
    """Round to three significant digits."""
    return float(f"{value:.3g}")


def markdown(table: Table) -> str:
    """Format a table as a Markdown section."""
    lines = [f"## {table.title}", ""]
    if table.rows:
        columns = list(table.rows[0])
        lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        lines += [
            "| " + " | ".join(_cell(row.get(c)) for c in columns) + " |" for row in table.rows
        ]
    if table.note:
        lines += ["", table.note]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
