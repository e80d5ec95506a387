"""The state of a strategy in its file: always complete, and never lost."""

import os
from decimal import Decimal
from pathlib import Path
from stat import S_ISDIR
from typing import Any

import pytest
from msgspec import Struct

from strategy_runtime import Candle, DataError, Strategy
from strategy_runtime.clock import NANOSECONDS, sleep
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import ConnectionEvent
from strategy_runtime.runtime.risk.limited import desk_for
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.store import StateKeeper, state_keeper
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from tests.runtime.slow import Asked, slow
from tests.runtime.virtual_run import live_run


class Leg(Struct):
    price: float = 0.0


class Memory(Struct):
    count: int = 0
    symbols: set[str] = set()
    legs: list[Leg] = []


class Bot(Strategy):
    state: Memory = Memory()


EVENT = ConnectionEvent(event=ConnectionEventKind.CONNECTED)


def keeper_of(strategy: Strategy, folder: Path) -> StateKeeper:
    keeper = state_keeper(strategy, folder)
    assert keeper is not None
    return keeper


def after_an_event(keeper: StateKeeper) -> None:
    keeper.noting(ConnectionEvent, None, "live")(EVENT, 0.0, 0.0)


def test_what_was_saved_is_restored(tmp_path: Path) -> None:
    strategy = Bot()
    keeper = keeper_of(strategy, tmp_path)
    strategy.state.count = 3
    strategy.state.symbols |= {"S:A", "S:B", "S:C"}
    strategy.state.legs.append(Leg(1.5))
    after_an_event(keeper)
    again = Bot(state=Memory(count=99))
    keeper_of(again, tmp_path)
    assert again.state == strategy.state
    assert again.state.symbols == {"S:A", "S:B", "S:C"}


def test_without_a_file_it_begins_as_it_is(tmp_path: Path) -> None:
    strategy = Bot(state=Memory(count=7))
    keeper_of(strategy, tmp_path)
    assert strategy.state.count == 7


def test_a_strategy_that_declares_none_costs_nothing(tmp_path: Path) -> None:
    class Plain(Strategy):
        pass

    assert state_keeper(Plain(), tmp_path) is None


def test_the_file_is_for_people_and_its_owner(tmp_path: Path) -> None:
    strategy = Bot()
    keeper = keeper_of(strategy, tmp_path)
    after_an_event(keeper)
    assert keeper.path.read_text() == '{\n  "count": 0,\n  "symbols": [],\n  "legs": []\n}\n'
    assert keeper.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_it_is_written_only_after_events_that_changed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy, written = Bot(), []
    keeper = keeper_of(strategy, tmp_path)
    replace = Path.replace

    def note(path: Path, target: Path) -> Path:
        written.append(path.read_text())
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", note)
    for count in (0, 0, 1, 1, 1, 2):
        strategy.state.count = count
        after_an_event(keeper)
    keeper.save()
    assert [text.split(",")[0][-1] for text in written] == ["0", "1", "2"]
    again = keeper_of(Bot(), tmp_path)
    after_an_event(again)
    assert len(written) == 3


def test_the_disk_has_it_before_it_takes_the_place_of_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, steps = keeper_of(Bot(), tmp_path), []
    fsync, replace = os.fsync, Path.replace

    def synced(file: int) -> None:
        steps.append("fsync")
        fsync(file)

    def replaced(path: Path, target: Path) -> Path:
        steps.append(f"replace {path.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    after_an_event(keeper)
    assert steps == ["fsync", "replace state.new", "fsync"]


def test_a_process_that_dies_while_it_writes_leaves_the_old_one(tmp_path: Path) -> None:
    strategy = Bot()
    keeper = keeper_of(strategy, tmp_path)
    strategy.state.count = 1
    after_an_event(keeper)
    (tmp_path / "state.new").write_text('{\n  "cou')
    again = Bot()
    after_an_event(keeper_of(again, tmp_path))
    assert again.state.count == 1


MISFIT = (
    "{path} does not fit Memory, the state of Bot: {what}; correct one of the two, or move the file"
    " away to begin anew"
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "Input data was truncated"),
        ('{"count":', "Input data was truncated"),
        ("count: 1", "JSON is malformed: invalid character (byte 0)"),
        ("[1]", "Expected `object`, got `array`"),
        ('{"count": "3"}', "Expected `int`, got `str` - at `$.count`"),
        ('{"legs": [{"price": "x"}]}', "Expected `float`, got `str` - at `$.legs[0].price`"),
        ('{"count": 3, "peak": 5}', "it has no field for `$.peak`"),
        ('{"legs": [{}, {"size": 5}]}', "it has no field for `$.legs[1].size`"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_left_as_it_is(
    text: str, what: str, tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    strategy = Bot()
    with pytest.raises(DataError) as refused:
        state_keeper(strategy, tmp_path)
    assert str(refused.value) == MISFIT.format(path=path, what=what)
    assert path.read_text() == text
    assert strategy.state == Memory()


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    with pytest.raises(DataError) as refused:
        state_keeper(Bot(), tmp_path)
    assert str(refused.value) == f"{tmp_path / 'state.json'} cannot be read: Is a directory"


def test_fields_that_a_file_lacks_have_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"count": 3}')
    strategy = Bot()
    state_keeper(strategy, tmp_path)
    assert strategy.state == Memory(count=3)


def test_on_a_full_disk_the_run_goes_on_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = Bot()
    keeper = keeper_of(strategy, tmp_path)
    after_an_event(keeper)
    old = keeper.path.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[: len(data) // 2]))
    for count in (1, 2, 3):
        strategy.state.count = count
        after_an_event(keeper)
    said = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert said == [
        f"the state of Bot is not saved, {keeper.path} cannot be written: the disk is full; the "
        "run goes on, and the file keeps what it had"
    ]
    assert keeper.path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [keeper.path]
    monkeypatch.setattr(os, "write", write)
    after_an_event(keeper)
    assert "the state of Bot is saved again" in caplog.text
    assert b'"count": 3' in keeper.path.read_bytes()


def test_a_folder_that_the_disk_does_not_take_costs_no_open_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = Bot()
    keeper = keeper_of(strategy, tmp_path)
    fsync = os.fsync

    def of_files_only(file: int) -> None:
        if S_ISDIR(os.fstat(file).st_mode):
            raise OSError(5, "Input/output error")
        fsync(file)

    monkeypatch.setattr(os, "fsync", of_files_only)
    after_an_event(keeper)
    files = list(Path("/dev/fd").iterdir())
    for count in (1, 2, 3):
        strategy.state.count = count
        after_an_event(keeper)
    assert list(Path("/dev/fd").iterdir()) == files
    assert f"{keeper.path} cannot be written: Input/output error" in caplog.text


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("3", "Expected `int`, got `str` - at `$.count`"),
        (float("nan"), "Expected `int`, got `null` - at `$.count`"),
        (object(), "Encoding objects of type object is unsupported"),
    ],
)
def test_what_could_not_be_restored_is_not_saved(
    value: Any, what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = Bot()
    keeper = keeper_of(strategy, tmp_path)
    after_an_event(keeper)
    old = keeper.path.read_bytes()
    strategy.state.count = value
    after_an_event(keeper)
    assert f"the state of Bot is not saved, it does not fit Memory: {what}; the run" in caplog.text
    assert keeper.path.read_bytes() == old


def test_a_live_run_saves_what_each_of_its_events_changed(tmp_path: Path) -> None:
    seen: list[int] = []

    class Counts(Bot):
        def on_candle(self, candle: Candle) -> None:
            if self.state.count:
                seen.append(int((tmp_path / "state.json").read_text().split(",")[0][13:]))
                assert seen[-1] == self.state.count
            self.state.count += 1

    strategy = Counts()

    async def wait(runner: Runner) -> None:
        await sleep(10)

    live_run(strategy, wait, observer=keeper_of(strategy, tmp_path))
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) > 5


class Ticking(Bot):
    def on_start(self) -> None:
        self.every("1m", self.note)

    def note(self) -> None:
        self.state.count += 1


class Refused(Bot):
    def on_candle(self, candle: Candle) -> None:
        self.buy("S:A", 1)

    def on_error(self, error: Exception) -> None:
        self.state.count += 1


@pytest.mark.parametrize("kind", [Ticking, Refused])
def test_a_live_run_saves_what_timers_and_other_hooks_change_though_no_event_comes(
    kind: type[Bot], tmp_path: Path
) -> None:
    strategy = kind()
    keeper = keeper_of(strategy, tmp_path)
    hours = BarSeries("S:A", "1h", 3600 * NANOSECONDS)  # a minute long as they are played
    for number in range(9):
        hours.append(number * 3600 * NANOSECONDS, 10, 10, 10, 10, 1)

    async def until_the_state_has_changed(runner: Runner) -> None:
        while not strategy.state.count:
            await sleep(1)
        assert f'"count": {strategy.state.count},' in keeper.path.read_text()

    live_run(
        strategy,
        until_the_state_has_changed,
        exchange=Exchange([hours]),
        observer=keeper,
        save=keeper.save,
        desk=desk_for(Limits(max_order_notional=Decimal(1))),
    )
    assert strategy.state.count == 1


def test_what_on_start_changed_is_saved_before_its_order_is_sent(tmp_path: Path) -> None:
    saved: list[str] = []

    class Begins(Bot):
        def on_start(self) -> None:
            self.state.count = 1
            self.buy("S:A", 1)

    def note(asked: Asked) -> float:
        if asked.method == "POST":
            saved.append(keeper.path.read_text())
        return 0.0

    strategy = Begins()
    keeper = keeper_of(strategy, tmp_path)

    async def wait(runner: Runner) -> None:
        await sleep(10)

    live_run(
        strategy,
        wait,
        observer=keeper,
        save=keeper.save,
        network=slow(note, []),
    )
    assert [text.split(",")[0] for text in saved] == ['{\n  "count": 1']
