"""Standard output without a reader, or that cannot be written, with real processes."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.support import (
    BUYER,
    DEMO,
    PRICES,
    call,
    command,
    environment,
    finished,
    line_of,
    proxy,
)

FULL = "Error: standard output cannot be written: No space left on device; what follows is lost\n"
TALKER = BUYER + "        print('close', candle.close)\n"
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}

on_linux = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


@pytest.fixture
def bot(folder: Path) -> Path:
    """A folder with a strategy that prints, and prices."""
    (folder / "bot.py").write_text(TALKER)
    (folder / "prices.csv").write_text(PRICES)
    return folder


def abandoned(
    name: str, *arguments: object, cwd: Path, env: dict[str, str], stream: str = "stdout"
) -> "subprocess.Popen[str]":
    """Start a command whose standard output, or error, has no reader from the start."""
    process = subprocess.Popen(
        command(name, *arguments),
        cwd=cwd,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = getattr(process, stream)
    end.close()
    setattr(process, stream, None)
    return process


def into_full(
    name: str, *arguments: object, cwd: Path, env: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    with Path("/dev/full").open("w") as full:
        return subprocess.run(
            command(name, *arguments),
            cwd=cwd,
            env=environment(env),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=50,
            check=False,
        )


# Without a reader


@pytest.mark.parametrize("env", [{}, UNBUFFERED], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("backtest", ["--demo"]),
        ("backtest", ["--demo", "--json"]),
        ("backtest", ["bot", "--data", "prices.csv", "--json"]),
        ("run", ["--help"]),
        ("new", ["--list"]),
        ("proxy", ["--version"]),
    ],
)
def test_a_reader_that_has_gone_is_no_failure(
    bot: Path, name: str, arguments: list[str], env: dict[str, str]
) -> None:
    with abandoned(name, *arguments, cwd=bot, env=env) as process:
        _, said = process.communicate(timeout=50)
    assert process.returncode == 0
    assert "rror" not in said
    assert "Traceback" not in said


def test_the_results_are_kept_although_nobody_reads_the_table(folder: Path) -> None:
    with abandoned("backtest", "--demo", cwd=folder, env={}) as process:
        _, said = process.communicate(timeout=50)
    assert (process.returncode, said) == (0, "")
    assert json.loads((folder / "results" / "SmaCross" / "result.json").read_text())["fills"] == 85


@pytest.mark.parametrize("env", [{}, UNBUFFERED], ids=["buffered", "unbuffered"])
def test_a_strategy_that_prints_trades_on_when_its_reader_has_gone(
    bot: Path, env: dict[str, str]
) -> None:
    with proxy("--data", "prices.csv", "--linger", 0, "--json", cwd=bot) as (server, urls):
        with abandoned("run", "bot", *urls, cwd=bot, env=env) as process:
            _, said = process.communicate(timeout=50)
        document, _ = server.communicate(timeout=30)
    assert process.returncode == 0, said
    assert json.loads(said.splitlines()[-1])["event"] == "the backtest is over"
    assert json.loads(document)["fills"] == 1


def test_a_run_whose_log_nobody_reads_trades_on_and_stops_when_it_is_asked_to(bot: Path) -> None:
    (bot / "bot.py").write_text(
        "from strategy_runtime import Strategy\n\n\n"
        "class Bot(Strategy):\n"
        "    def on_candle(self, candle):\n"
        "        self.log.error('nobody reads this')\n"
        "        self.count = getattr(self, 'count', 0) + 1\n"
        "        print(self.count, flush=True)\n"
        "    def on_stop(self):\n"
        "        print('on_stop was called', flush=True)\n"
    )
    rows = [f"2024-03-04T00:{n:02}:00Z,10,11,9,10,1" for n in range(60)]
    (bot / "prices.csv").write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    with (
        proxy("--data", "prices.csv", "--speed", "600x", cwd=bot) as (_, urls),
        abandoned("run", "bot", *urls, "--mode=live", cwd=bot, env={}, stream="stderr") as process,
    ):
        line_of(process.stdout, "7")
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=30)
    assert printed.endswith("on_stop was called\n")
    assert process.returncode == 0


# It cannot be written


@on_linux
@pytest.mark.parametrize("env", [{}, UNBUFFERED], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("backtest", ["--demo"]),
        ("backtest", ["--demo", "--json"]),
        ("run", ["--help"]),
        ("new", ["--list"]),
        ("proxy", ["--version"]),
    ],
)
def test_a_full_disk_is_told_in_one_line(
    folder: Path, name: str, arguments: list[str], env: dict[str, str]
) -> None:
    ended = into_full(name, *arguments, cwd=folder, env=env)
    assert (ended.returncode, ended.stderr) == (74, FULL)


@on_linux
def test_the_results_are_kept_although_the_table_is_lost(folder: Path) -> None:
    assert into_full("backtest", "--demo", cwd=folder, env={}).returncode == 74
    assert json.loads((folder / "results" / "SmaCross" / "result.json").read_text())["fills"] == 85


@on_linux
@pytest.mark.parametrize("env", [{}, UNBUFFERED], ids=["buffered", "unbuffered"])
def test_a_strategy_that_prints_to_a_full_disk_trades_on(bot: Path, env: dict[str, str]) -> None:
    with proxy("--data", "prices.csv", "--linger", 0, "--json", cwd=bot) as (server, urls):
        ended = into_full("run", "bot", *urls, cwd=bot, env=env)
        document, _ = server.communicate(timeout=30)
    assert ended.returncode == 74
    assert FULL in ended.stderr
    assert "Traceback" not in ended.stderr
    assert '"event":"the backtest is over"' in ended.stderr
    assert json.loads(document)["fills"] == 1


@on_linux
def test_a_failure_of_another_kind_keeps_its_exit_code(bot: Path) -> None:
    (bot / "bot.py").write_text(TALKER + "        raise ValueError('no more')\n")
    ended = into_full("backtest", "bot", "--data", "prices.csv", cwd=bot, env={})
    assert ended.returncode == 70
    assert FULL in ended.stderr


def test_what_is_written_is_what_was_written_before(folder: Path) -> None:
    done = call("backtest", DEMO, "--demo", "--json", cwd=folder)
    assert (done.returncode, json.loads(done.stdout)["fills"]) == (0, 85)
    unbuffered = call("backtest", DEMO, "--demo", cwd=folder, env=UNBUFFERED)
    assert unbuffered.stdout.startswith("SmaCross(")
    assert "Fill hash" in unbuffered.stdout


# Its encoding lacks a character

LATIN = {"PYTHONIOENCODING": "latin-1"}


def test_a_character_that_the_encoding_lacks_is_written_as_its_number(bot: Path) -> None:
    (bot / "bot.py").write_text(f"{TALKER}        print('株 é')\n", encoding="utf-8")
    done = subprocess.run(
        command("backtest", "bot", "--data", "prices.csv", "--symbol", "株"),
        cwd=bot,
        env=environment(LATIN),
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\n\\u682a \xe9\n" in done.stdout, "of the strategy"
    assert b"\n\\u682a  1d  2024-03-04 to " in done.stdout, "of the table"


@pytest.mark.parametrize(
    ("name", "varied"), [("backtest", []), ("sweep", ["--set", "quantity=1,2"])]
)
def test_a_document_is_in_utf_8_whatever_the_encoding_of_the_terminal(
    bot: Path, name: str, varied: list[str]
) -> None:
    (bot / "bot.py").write_text(BUYER)
    done = subprocess.run(
        command(name, "bot", "--data", "prices.csv", "--symbol", "株", "--json", *varied),
        cwd=bot,
        env=environment(LATIN),
        capture_output=True,
        timeout=50,
        check=True,
    )
    document = json.loads(done.stdout.decode("utf-8"))
    first = document["runs"][0] if varied else document
    assert [each["symbol"] for each in first["data"]] == ["株"]


# It is closed


def without(
    *streams: int, arguments: list[str], cwd: Path, name: str = "backtest"
) -> "subprocess.CompletedProcess[str]":
    """Start a command without these streams."""
    closing = " ".join(f"{stream}>&-" for stream in streams)
    shell = ["/bin/sh", "-c", f'exec "$@" {closing}', "sh"]
    return finished([*shell, *command(name, *arguments)], cwd=cwd)


def test_a_run_without_standard_error_prints_its_results(folder: Path) -> None:
    done = without(2, arguments=["--demo"], cwd=folder)
    assert (done.returncode, done.stdout[:9]) == (0, "SmaCross(")
    assert without(2, arguments=["nowhere", "--demo"], cwd=folder).returncode == 2


def test_a_run_without_any_stream_leaves_its_results(folder: Path) -> None:
    assert without(1, 2, arguments=["--demo"], cwd=folder).returncode == 0
    assert json.loads((folder / "results" / "SmaCross" / "result.json").read_text())["fills"] == 85


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("streams", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_run_over_the_network_needs_no_streams(
    bot: Path, streams: tuple[int, ...], loop: str
) -> None:
    pytest.importorskip(loop)
    with proxy("--data", "prices.csv", "--linger", 0, "--json", cwd=bot) as (server, urls):
        done = without(
            *streams, arguments=["bot", *map(str, urls), "--loop", loop], cwd=bot, name="run"
        )
        result, _ = server.communicate(timeout=30)
    assert done.returncode == 0, done.stderr
    assert json.loads(result)["complete"] is True


@pytest.mark.parametrize("closing", ["sys.stdout.close()", "sys.stderr.close()"])
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_strategy_that_closes_a_stream_does_no_harm(
    bot: Path, closing: str, more: list[str]
) -> None:
    (bot / "bot.py").write_text(f"import sys\n{TALKER}        {closing}\n")
    done = call("backtest", "bot", "--data", "prices.csv", *more, cwd=bot)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "close 118.0\n" in (done.stderr if more else done.stdout)
    assert "fill_hash" in done.stdout or "Fill hash" in done.stdout


def test_a_strategy_that_closes_the_file_behind_a_stream_is_told_that_output_is_lost(
    bot: Path,
) -> None:
    (bot / "bot.py").write_text(f"import sys\n{TALKER}        sys.__stdout__.close()\n")
    done = call("backtest", "bot", "--data", "prices.csv", cwd=bot)
    assert done.returncode == 74
    assert done.stderr == FULL.replace("No space left on device", "Bad file descriptor")
