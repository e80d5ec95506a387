"""Rows of times and numbers parsed together give the same as field by field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.simulator.data.plain_rows import times_and_numbers

ROWS = "2024-01-02T14:30:00Z,10,11.5\n2024-01-02T14:31:00Z,1e1,0.25\n"


def by_hand(text: str) -> tuple[list[str], list[list[str]]]:
    rows = [row.split(",") for row in text.removesuffix("\n").split("\n")]
    times, *columns = map(list, zip(*rows, strict=True))
    return times, [[repr(float(field)) for field in column] for column in columns]


def at_once(text: str, width: int) -> tuple[list[str], list[list[str]]] | None:
    read = times_and_numbers(text, width)
    if read is None:
        return None
    times, columns = read
    return times, [list(map(repr, column)) for column in columns]


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        ROWS.rstrip("\n"),
        ROWS.replace("Z", "+00:00"),
        ROWS.replace("T", " ").replace("Z", ""),
        ROWS.replace("10,", " 10 ,"),
    ],
    ids="utc no-newline offset blank blanks".split(),
)
def test_usual_rows_are_read(text: str) -> None:
    assert at_once(text, 3) == by_hand(text)


@pytest.mark.parametrize(
    "text",
    [
        ROWS.replace("10,", "-0,"),  # in JSON an integer, without a sign
        ROWS.replace("10,", "010,"),
        ROWS.replace("10,", "nan,"),
        ROWS.replace("10,", ","),
        ROWS.replace("10,", "1e999,"),
        ROWS.replace("10,", '"10",'),
        ROWS.replace("10,", "10,1,"),
        ROWS.replace(",10", ""),
        ROWS.replace(":00Z,10", ":00,5Z,10"),
        ROWS.replace("2024", "2\\u0030" + "24"),
        ROWS.replace("2024", "\u0662024"),
        ROWS.replace("\n", "\n\n"),
        "," + ROWS,
        '2024","2,1,2\n',
    ],
)
def test_others_are_left_to_a_closer_look(text: str) -> None:
    assert at_once(text, 3) is None


times = st.sampled_from(
    [
        ["2024-01-02T14:30:00Z", "2024-01-03T00:00:00Z"],
        ["2024-01-02 14:31:00", "2024-01-02 14:32:00"],
        ["2024-01-02T14:30:00Z", "2024-01-02 14:31:00", "2024-01-02", "1704205800"],
    ]
)
numbers = st.one_of(
    st.sampled_from(["1", "2.5", "0", "-0", "-1.5", "1e3", " 7", "3 "]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
splinters = st.lists(st.tuples(st.integers(0, 200), st.text('Z:0,5-\n"\\[]{} e.T', max_size=3)))


rows = times.flatmap(
    lambda times: st.lists(
        st.tuples(st.sampled_from(times), numbers, numbers, numbers).map(",".join),
        min_size=1,
        max_size=6,
    )
)


@given(rows=rows, splinters=st.one_of(st.just([]), splinters))
def test_what_is_read_is_what_each_field_says(
    rows: list[str], splinters: list[tuple[int, str]]
) -> None:
    text = "\n".join(rows)
    for at, some in splinters:
        text = text[:at] + some + text[at:]
    read = at_once(text, 4)
    if read is not None:
        assert read == by_hand(text)
        assert len(read[1]) == 3
