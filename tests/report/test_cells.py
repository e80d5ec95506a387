"""Alignment of texts whose characters take zero or two columns."""

import pytest

from strategy_runtime.report.cells import ljust, rjust, width_of


@pytest.mark.parametrize(
    ("text", "width"),
    [("", 0), ("fast", 4), ("größe", 5), ("u\u0308", 1), ("株価", 4), ("ＡＢ", 4)],
)
def test_a_text_takes_as_many_columns_as_a_terminal_gives_it(text: str, width: int) -> None:
    assert width_of(text) == width
    assert ljust(text, 6) == text + " " * (6 - width)
    assert rjust(text, 6) == " " * (6 - width) + text
