"""A session that is recorded, and replayed."""

from pathlib import Path

from tests.cli.support import DEMO, call, proxy, started

STRATEGY = DEMO, "--set=fast=3", "--set=slow=8"


def replayed(tmp_path: Path) -> str:
    """The fills of the recorded candles."""
    replay = "--data=session.jsonl", "--fills=replayed.csv"
    done = call("backtest", *STRATEGY, *replay, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return (tmp_path / "replayed.csv").read_text()


def test_a_session_replays_to_the_same_fills(tmp_path: Path) -> None:
    with proxy("--demo", "--fills=traded.csv", "--linger=0", cwd=tmp_path) as (server, urls):
        done = call("run", *STRATEGY, *urls, "--record=session.jsonl", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        server.communicate(timeout=30)
    traded = (tmp_path / "traded.csv").read_text()
    assert traded.count("\n") > 20
    assert replayed(tmp_path) == traded


def test_a_live_session_is_recorded_to_its_end(tmp_path: Path) -> None:
    live = "--mode=live", "--state-dir=none", "--record=session.jsonl"
    with (
        proxy("--demo", "--fills=traded.csv", "--linger=0", cwd=tmp_path) as (server, urls),
        started("run", *STRATEGY, *urls, *live, cwd=tmp_path) as process,
    ):
        server.communicate(timeout=30)
        process.communicate(timeout=30)  # which ends with the proxy's backtest
        assert process.returncode == 0
    done = call("backtest", *STRATEGY, "--demo", "--fills=demo.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert replayed(tmp_path) == (tmp_path / "demo.csv").read_text()


def test_a_name_that_is_not_known_again_is_refused(tmp_path: Path) -> None:
    done = call("run", *STRATEGY, cwd=tmp_path, env={"STRATEGY_RECORD": "session.csv"})
    assert done.returncode == 2
    assert (
        "Error: STRATEGY_RECORD: 'session.csv' does not end in .jsonl, by which strategy-backtest "
        "--data knows a recording\n"
    ) in done.stderr


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    done = call("run", *STRATEGY, "--record=none/session.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "Error: --record: none/session.jsonl cannot be written: No such file or directory\n"
        in done.stderr
    )
