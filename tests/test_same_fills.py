"""The same strategy, data and options give the same fills in process and over sockets."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.cli.support import ROOT, call, proxy

EXAMPLES = sorted(set((ROOT / "examples").glob("*.py")) - {ROOT / "examples" / "proxy.py"})
COSTS = ("--fee-rate", "0.0005", "--fee-min", "1", "--slippage", "0.0002", "--children", "next_bar")


def backtest(example: Path, folder: Path, hash_seed: str) -> bytes:
    fills = folder / f"in-process-{hash_seed}.csv"
    done = call(
        "backtest",
        example,
        *("--demo", *COSTS, "--fills", fills),
        cwd=folder,
        env={"PYTHONHASHSEED": hash_seed},
    )
    assert done.returncode == 0, done.stderr
    return fills.read_bytes()


def over_sockets(example: Path, folder: Path, hash_seed: str) -> bytes:
    fills = folder / f"over-sockets-{hash_seed}.csv"
    options = ("--demo", *COSTS, "--fills", fills, "--linger", 0)
    with proxy(*options, cwd=folder) as (server, urls):
        done = call("run", example, *urls, cwd=folder, env={"PYTHONHASHSEED": hash_seed})
        assert done.returncode == 0, done.stderr
        _, said = server.communicate(timeout=30)
        assert server.returncode == 0, said
    return fills.read_bytes()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], bytes]:
    """Return the fills of an example in process with the first hash seed, computed once."""

    @cache
    def fills_of(example: Path) -> bytes:
        return backtest(example, tmp_path_factory.mktemp(example.stem), "0")

    return fills_of


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_fills_are_the_same_in_process_and_over_sockets_under_any_hash_seed(
    example: Path, hash_seed: str, tmp_path: Path, reference: Callable[[Path], bytes]
) -> None:
    expected = reference(example)
    assert expected.count(b"\n") > 20, "the example hardly trades, so this would prove nothing"
    assert backtest(example, tmp_path, hash_seed) == expected
    assert over_sockets(example, tmp_path, hash_seed) == expected


EARLY = """
from strategy_runtime import Candle, Strategy


class Early(Strategy):
    def on_connect(self) -> None:
        self.buy("S:AAPL", 1)

    def on_candle(self, candle: Candle) -> None:
        pass
"""


def test_what_on_connect_orders_fills_at_the_first_open_either_way(tmp_path: Path) -> None:
    example = tmp_path / "early.py"
    example.write_text(EARLY)
    expected = backtest(example, tmp_path, "0")
    assert over_sockets(example, tmp_path, "0") == expected
    assert [row.split(",")[1] for row in expected.decode().splitlines()] == [
        "bar",
        "2008-01-02T00:00:00Z",
    ]


def test_other_costs_trade_differently(tmp_path: Path, reference: Callable[[Path], bytes]) -> None:
    example = EXAMPLES[0]
    fills = tmp_path / "other.csv"
    done = call("backtest", example, "--demo", "--fills", fills, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert fills.read_bytes() != reference(example)
