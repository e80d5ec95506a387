"""The journal: records survive any end of the process, and damage to one does not affect others."""

import os
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strategy_runtime.errors import ApiError, DataError
from strategy_runtime.protocol.enums import OrderStatus, OrderType, Side
from strategy_runtime.protocol.models import Order, OrderRequest
from strategy_runtime.runtime.store import Journal


def order(name: str) -> OrderRequest:
    return OrderRequest(
        symbol="S:X",
        side=Side.BUY,
        quantity=Decimal("1.50"),
        order_type=OrderType.LIMIT,
        limit_price=Decimal("10.25"),
        client_order_id=name,
    )


def files_in_use() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_what_has_no_outcome_is_found_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for name in ("a-1", "a-2", "a-3"):
        journal.intend(order(name))
    journal.settle("a-2", "accepted")
    # Not closed: as if killed.
    assert Journal(tmp_path).unsettled == {"a-1": order("a-1"), "a-3": order("a-3")}


def test_an_intent_is_on_the_disk_before_it_may_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, synced = Journal(tmp_path), []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(journal.path.read_bytes()))
    journal.intend(order("a-1"))
    assert [text.count(b"a-1") for text in synced] == [1]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    assert Journal(tmp_path).path.stat().st_mode & 0o777 == 0o600


def test_it_begins_anew_with_what_is_unsettled(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(100):
        journal.intend(order(f"a-{number}"))
        journal.settle(f"a-{number}", "accepted")
    journal.intend(order("last"))
    journal.close()
    before = journal.path.stat().st_size
    again = Journal(tmp_path)
    assert again.path.stat().st_size < before / 50
    assert list(again.unsettled) == ["last"]
    assert [path.name for path in tmp_path.iterdir()] == ["intents.jsonl"]


def test_it_begins_anew_when_it_has_grown_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strategy_runtime.runtime.store.journal._LARGEST", 5000)
    journal = Journal(tmp_path)
    journal.intend(order("first"))
    in_use = files_in_use()
    for number in range(100):
        journal.intend(order(f"a-{number}"))
        journal.settle(f"a-{number}", "accepted")
        assert journal.path.stat().st_size < 6000
    assert files_in_use() == in_use
    assert list(Journal(tmp_path).unsettled) == ["first"]


def test_a_line_cut_off_or_changed_spoils_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    for name in ("a-1", "a-2", "a-3"):
        journal.intend(order(name))
    journal.close()
    text = journal.path.read_bytes().replace(b'"a-2"', b'"b-2"')
    journal.path.write_bytes(text[:-20])
    assert list(Journal(tmp_path).unsettled) == ["a-1"]
    assert f"{journal.path}: 2 damaged lines were skipped" in caplog.text


@given(cut=st.integers(0, 2000))
def test_wherever_it_is_cut_what_is_whole_is_read(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal"))
    for number in range(5):
        journal.intend(order(f"a-{number}"))
    journal.close()
    text = journal.path.read_bytes()
    journal.path.write_bytes(text[:cut])
    found = Journal(journal.path.parent)
    found.close()
    # A line is whole without the line feed behind it; the first is the header.
    whole = sum(byte == ord("\n") for byte in text[: cut + 1])
    assert list(found.unsettled) == [f"a-{n}" for n in range(5)][: max(whole - 1, 0)]


def test_a_line_without_end_to_its_nesting_spoils_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    journal.intend(order("a-1"))
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b'{"crc":1,"entry":' + b"[" * 100_000 + b"\n")
    assert list(Journal(tmp_path).unsettled) == ["a-1"]
    assert f"{journal.path}: 1 damaged lines were skipped" in caplog.text


def test_a_later_version_is_not_read(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    path = tmp_path / "intents.jsonl"
    entry = b'{"type":"journal","version":2}'
    from zlib import crc32

    path.write_bytes(b'{"crc":%d,"entry":%s}\n' % (crc32(entry), entry))
    with pytest.raises(DataError) as caught:
        Journal(tmp_path)
    assert str(caught.value) == (
        f"{path} is of version 2, and this is 1: run the strategy once more with the release that "
        "wrote it, or move it away"
    )
    assert path.read_bytes().count(b"version") == 1


def test_what_cannot_be_noted_must_not_be_sent_and_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    write = os.write

    def half(file: int, data: bytes) -> int:
        write(file, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(ApiError) as refused:
        journal.intend(order("a-1"))
    assert refused.value.code == "JOURNAL_FAILED"
    assert refused.value.message == (
        f"{journal.path} cannot be written (No space left on device), and an order that is not in "
        "it is not sent; make room, or give another --state-dir"
    )
    monkeypatch.setattr(os, "write", write)
    journal.intend(order("a-2"))
    assert list(journal.unsettled) == ["a-2"]
    assert list(Journal(tmp_path).unsettled) == ["a-2"]


def test_a_file_that_cannot_be_begun_whole_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.intend(order("a-1"))
    journal.close()
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[: len(data) // 2]))
    with pytest.raises(OSError, match="the disk is full"):
        Journal(tmp_path)
    monkeypatch.setattr(os, "write", write)
    assert list(Journal(tmp_path).unsettled) == ["a-1"]


def test_once_closed_it_writes_to_no_file(tmp_path: Path) -> None:
    journal, other = Journal(tmp_path), tmp_path / "other"
    journal.close()
    with other.open("wb"):  # under the number that the journal had
        journal.follow(told("a-1"))
        with pytest.raises(ApiError, match="Bad file descriptor"):
            journal.intend(order("a-2"))
    assert other.read_bytes() == b""
    journal.close()


def test_what_could_not_be_written_at_all_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)

    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(ApiError):
            journal.intend(order("a-1"))
    journal.intend(order("a-2"))
    assert list(Journal(tmp_path).unsettled) == ["a-2"]
    assert "damaged" not in caplog.text


# What was told of orders


def told(name: str, status: OrderStatus = OrderStatus.OPEN, filled: int = 0) -> Order:
    return Order(
        id=f"ord-{name}",
        symbol="S:X",
        side=Side.BUY,
        status=status,
        order_type=OrderType.LIMIT,
        quantity=Decimal(3),
        filled_quantity=Decimal(filled),
        limit_price=Decimal("10.25"),
        client_order_id=name,
    )


PARTLY, FILLED = OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED


def test_orders_are_followed_until_their_end_has_been_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for name in ("a-1", "a-2", "a-3"):
        journal.intend(order(name))
        journal.settle(name, "accepted", told(name))
    journal.follow(told("a-1", PARTLY, 2))
    journal.executed("a-1", "t-1", Decimal(2))
    journal.follow(told("a-2", FILLED, 3))
    journal.executed("a-2", "t-2", Decimal(3))
    journal.follow(told("a-3", OrderStatus.CANCELLED))
    for again in (journal, Journal(tmp_path), Journal(tmp_path)):  # the second has been rewritten
        assert {name: each.order for name, each in again.open.items()} == {
            "a-1": told("a-1", PARTLY, 2)
        }
        assert again.open["a-1"].trades == {"t-1": Decimal(2)}
        assert again.ended == {}
        assert again.unsettled == {}


def test_one_that_ended_is_kept_until_its_executions_have_been_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.intend(order("a-1"))
    journal.follow(told("a-1", FILLED, 3))  # an event may come before the answer
    journal.settle("a-1", "accepted", told("a-1"))
    journal.executed("a-1", "t-1", Decimal(2))
    again = Journal(tmp_path)
    assert again.open == {}
    assert list(again.ended) == ["a-1"]
    again.executed("a-1", "t-1", Decimal(2))
    assert list(again.ended) == ["a-1"]
    again.executed("a-1", "t-2", Decimal(1))
    assert again.ended == Journal(tmp_path).ended == {}


def test_an_entry_is_kept_until_its_legs_have_been_told(tmp_path: Path) -> None:
    entry = replace(told("a-1", FILLED, 3), stop_loss=Decimal(9), take_profit=Decimal(12))
    journal = Journal(tmp_path)
    journal.follow(replace(entry, status=OrderStatus.OPEN, filled_quantity=Decimal(0)))
    journal.follow(entry)
    journal.executed("a-1", "t-1", Decimal(3))
    assert journal.ended["a-1"].awaits_legs
    stop, profit = (replace(told(name), parent_order_id="ord-a-1") for name in ("sl", "tp"))
    journal.follow(stop)
    journal.follow(replace(stop, status=OrderStatus.CANCELLED))
    again = Journal(tmp_path)
    again = Journal(tmp_path)  # which was rewritten without the leg that has ended
    assert again.ended["a-1"].legs == {"ord-sl"}
    again.follow(replace(stop, status=OrderStatus.CANCELLED))
    assert (list(again.open), list(again.ended)) == ([], ["a-1"])
    again.follow(replace(profit, status=FILLED, filled_quantity=Decimal(3)))
    assert list(again.ended) == ["tp"]
    again.executed("tp", "t-2", Decimal(3))
    assert again.ended == Journal(tmp_path).ended == {}


def test_late_news_of_an_order_changes_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.follow(told("a-1", PARTLY, 2))
    journal.follow(told("a-1", PARTLY, 1))
    assert journal.open["a-1"].order.filled_quantity == 2
    journal.follow(told("a-1", OrderStatus.CANCELLED, 2))
    journal.executed("a-1", "t-1", Decimal(2))
    journal.follow(told("a-1", OrderStatus.CANCELLED, 2))
    assert (journal.open, journal.ended) == ({}, {})


def test_what_is_told_again_takes_no_room(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.follow(told("a-1", PARTLY, 2))
    journal.executed("a-1", "t-1", Decimal(2))
    size = journal.path.stat().st_size
    journal.follow(told("a-1", PARTLY, 2))
    journal.executed("a-1", "t-1", Decimal(2))
    journal.executed("of others", "t-2", Decimal(2))
    assert journal.path.stat().st_size == size


def test_an_execution_of_a_leg_is_not_awaited_again_when_the_leg_is_told_again(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path)
    entry = replace(told("a-1", FILLED, 3), stop_loss=Decimal(9), take_profit=Decimal(12))
    journal.follow(replace(entry, status=PARTLY))
    stop = replace(told("sl", FILLED, 3), parent_order_id="ord-a-1")
    journal.follow(stop)
    journal.executed("sl", "t-1", Decimal(3))
    journal.follow(stop)
    assert journal.ended == {}


def test_an_order_in_place_of_another_is_followed_although_less_of_it_is_filled(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path)
    journal.follow(told("a-1", PARTLY, 2))
    journal.follow(replace(told("a-1"), id="ord-later"))
    assert Journal(tmp_path).open["a-1"].order.id == "ord-later"


def test_a_leg_is_told_of_its_own_entry_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for name in ("a-1", "a-2"):
        journal.follow(told(name))
        journal.follow(replace(told(name, FILLED, 3), stop_loss=Decimal(9)))
    journal.follow(replace(told("sl"), parent_order_id="ord-a-2"))
    journal.executed("a-1", "t-1", Decimal(3))
    journal.executed("a-2", "t-2", Decimal(3))
    assert list(journal.ended) == ["a-1"]


def test_an_execution_of_an_order_whose_line_is_damaged_spoils_no_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for name in ("a-1", "a-2"):
        journal.follow(told(name))
        journal.executed(name, f"t-{name}", Decimal(2))
    text = journal.path.read_bytes()
    journal.path.write_bytes(text.replace(b"ord-a-1", b"ord-b-1"))
    again = Journal(tmp_path)
    assert {name: each.trades for name, each in again.open.items()} == {
        "a-2": {"t-a-2": Decimal(2)}
    }


def test_one_that_is_withdrawn_stays_if_a_fill_was_not_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for name in ("a-1", "a-2"):
        journal.follow(told(name, PARTLY, 1))
        journal.executed(name, f"t-{name}", Decimal(1))
    journal.withdraw(told("a-1", OrderStatus.CANCELLED, 1))
    journal.withdraw(told("a-2", OrderStatus.CANCELLED, 2))
    journal.withdraw(told("not followed", OrderStatus.CANCELLED))
    assert {name: each.order for name, each in Journal(tmp_path).open.items()} == {
        "a-2": told("a-2", PARTLY, 1)
    }


def test_a_venue_that_never_tells_of_executions_does_not_fill_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(100):
        journal.follow(told(f"a-{number}"))
        journal.follow(told(f"a-{number}", FILLED, 3))
    assert list(journal.ended) == [f"a-{number}" for number in range(80, 100)]
    assert list(Journal(tmp_path).ended) == list(journal.ended)


def test_orders_that_have_ended_take_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strategy_runtime.runtime.store.journal._LARGEST", 5000)
    journal = Journal(tmp_path)
    for number in range(50):
        journal.follow(told(f"open-{number}"))
    held = journal.path.stat().st_size
    sizes = []
    for number in range(1000):
        journal.follow(told(f"a-{number}"))
        journal.follow(told(f"a-{number}", FILLED, 3))
        journal.executed(f"a-{number}", f"t-{number}", Decimal(3))
        sizes.append(journal.path.stat().st_size)
    assert max(sizes) < 2.1 * held
    shrunk = sum(later < earlier for earlier, later in pairwise(sizes))
    assert shrunk < 60  # each time by half: it is not written anew at every line
    assert list(Journal(tmp_path).open) == [f"open-{number}" for number in range(50)]


def test_a_journal_from_before_it_followed_orders_is_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for name in ("a-1", "a-2"):
        journal.intend(order(name))
    journal.settle("a-1", "accepted")  # the line that it had then
    again = Journal(tmp_path)
    assert list(again.unsettled) == ["a-2"]
    assert again.open == {}


def test_what_was_told_and_cannot_be_noted_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    journal.follow(told("a-1"))
    write = os.write

    def full(file: int, data: bytes) -> int:
        write(file, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    journal.follow(told("a-1", PARTLY, 2))
    assert f"{journal.path} cannot be written: No space left on device" in caplog.text
    monkeypatch.setattr(os, "write", write)
    journal.follow(told("a-2"))
    assert Journal(tmp_path).open == journal.open


def test_an_order_that_ended_while_the_disk_was_full_is_not_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.follow(told("a-1"))
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: 0)
    journal.follow(told("a-1", FILLED, 3))
    journal.executed("a-1", "t-1", Decimal(3))
    with pytest.raises(ApiError, match="the disk is full"):
        journal.intend(order("a-2"))
    monkeypatch.setattr(os, "write", write)
    journal.intend(order("a-3"))
    again = Journal(tmp_path)
    assert again.open == again.ended == {}
    assert list(again.unsettled) == ["a-3"]


def test_what_was_told_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal.follow(told("a-1"))
    journal.executed("a-1", "t-1", Decimal(2))
    assert synced == []


def test_executions_of_unknown_orders_are_noted_while_legs_may_be_meant(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.executed_for_nobody("t-0")
    assert journal.strays == {}
    journal.follow(told("a-1"))
    journal.follow(replace(told("a-1", FILLED, 3), stop_loss=Decimal(9)))
    for number in range(150):
        journal.executed_for_nobody(f"t-{number}")
    assert list(journal.strays) == [f"t-{number}" for number in range(50, 150)]
    assert Journal(tmp_path).strays == Journal(tmp_path).strays == journal.strays
