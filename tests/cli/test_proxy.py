"""`strategy-proxy`: start, results and exit codes."""

import json
import signal
import socket
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.cli.support import BUYER, PRICES, call, interrupt, line_of, proxy, started


def equity(rest_url: str) -> Decimal:
    with urllib.request.urlopen(f"{rest_url}/account", timeout=10) as answer:  # noqa: S310
        return Decimal(json.load(answer)["equity"])


def test_both_urls_on_the_first_line_and_the_document_after_it(bot: Path) -> None:
    with started(
        "proxy", *("--data", "prices.csv", "--ws-port", 0, "--rest-port", 0, "--json"), cwd=bot
    ) as server:
        urls = json.loads(line_of(server.stdout))
        assert list(urls) == ["ws_url", "rest_url"]
        line_of(server.stderr, "Waiting for a strategy.")
        done = call(
            "run", "bot", "--ws-url", urls["ws_url"], "--rest-url", urls["rest_url"], cwd=bot
        )
        assert done.returncode == 0, done.stderr
        line_of(server.stderr, "The run is over; requests are answered for 5 s more.")
        assert equity(urls["rest_url"]) == 100120
        interrupt(server, signal.SIGTERM)
        document, _ = server.communicate(timeout=30)
    assert server.returncode == 0, "the run had come to its end"
    found = json.loads(document)
    assert (found["strategy"], found["parameters"], found["complete"]) == (None, {}, True)
    assert (found["equity"], found["fills"], found["bars"]) == ("100120", 1, 4)
    assert found["wall_s"] > 0
    assert not (bot / "results").exists()


def test_results_are_written_by_default(bot: Path) -> None:
    with proxy("--data", "prices.csv", "--linger", 0, cwd=bot) as (server, urls):
        assert call("run", "bot", *urls, cwd=bot).returncode == 0
        out, said = server.communicate(timeout=30)
    assert out == ""
    assert "Strategy over the network\nprices  1d  2024-03-04 to 2024-03-08\n" in said
    assert "Written: results/proxy/fills.csv " in said
    assert (bot / "results/proxy/fills.csv").read_text().count("\n") == 2


def test_orders_that_were_refused_are_counted(bot: Path) -> None:
    (bot / "bot.py").write_text(BUYER.replace("self.buy(candle.symbol,", 'self.buy("S:NONE",'))
    with proxy("--data", "prices.csv", "--linger", 0, "--json", cwd=bot) as (server, urls):
        assert call("run", "bot", *urls, cwd=bot).returncode == 0
        document, _ = server.communicate(timeout=30)
    found = json.loads(document)
    assert (found["orders"], found["refused_orders"], found["hook_failures"]) == (0, 4, None)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_was_interrupted_says_so(bot: Path, number: int, code: int) -> None:
    with proxy("--data", "prices.csv", "--out", "out", cwd=bot) as (server, _):
        line_of(server.stderr, "Waiting")
        interrupt(server, number)
        _, said = server.communicate(timeout=30)
    assert server.returncode == code
    assert "Stopped before the end of the data" in said
    assert said.endswith("Interrupted before the end of the run.\n")
    assert json.loads((bot / "out/result.json").read_text())["complete"] is False


def test_an_interrupted_run_does_not_replace_results_unasked(bot: Path) -> None:
    with proxy("--data", "prices.csv", cwd=bot) as (server, _):
        line_of(server.stderr, "Waiting")
        interrupt(server)
        server.communicate(timeout=30)
    assert not (bot / "results").exists()


def test_a_strategy_that_stops_acknowledging(bot: Path) -> None:
    (bot / "bot.py").write_text(
        "import asyncio\nfrom strategy_runtime import Strategy\n"
        "class Bot(Strategy):\n"
        "    async def on_candle(self, candle):\n"
        "        if candle.close == 110: await asyncio.sleep(3600)\n"
    )
    options = ("--data", "prices.csv", "--ack-timeout", 0.2, "--linger", 60)
    with (
        proxy(*options, cwd=bot) as (server, urls),
        started("run", "bot", *urls, cwd=bot),
    ):
        line_of(
            server.stderr,
            "The run has broken off; clients that connect are told why for 60 s more.",
        )
        late = call("run", "bot", *urls, cwd=bot)
        interrupt(server)
        _, said = server.communicate(timeout=30)
    assert late.returncode == 75
    assert "Error: the proxy halted the run: an acknowledgement was missing" in late.stderr
    assert server.returncode == 75
    assert (
        "Error: the strategy stopped acknowledging events; the run is incomplete "
        "(--ack-timeout 0 waits for ever, as for a hook in a debugger)\n" in said
    )


def test_the_key_is_demanded_and_never_shown(bot: Path) -> None:
    key = "canary-0123456789-0123456789-0123456789"
    (bot / "key").write_text(f"{key}\n")
    with proxy(
        *("--data", "prices.csv", "--token-file", "key", "--host", "0.0.0.0", "--linger", 0),  # noqa: S104
        cwd=bot,
    ) as (server, urls):
        local = [text.replace("0.0.0.0", "127.0.0.1") for text in urls]  # noqa: S104
        refused = call("run", "bot", *local, cwd=bot)
        assert refused.returncode == 77
        with pytest.raises(urllib.error.HTTPError, match="401") as denied:
            equity(local[-1])
        denied.value.close()
        done = call("run", "bot", *local, cwd=bot, env={"PROXY_API_KEY_FILE": "key"})
        assert done.returncode == 0, done.stderr
        out, said = server.communicate(timeout=30)
    assert "canary" not in out + said + refused.stderr + done.stdout + done.stderr


def test_a_fault_in_the_replay_ends_the_proxy_with_its_code(bot: Path) -> None:
    (bot / "prices.csv").write_text(PRICES + "2024-03-08,59,60,58,59,1000\n")
    listens = "\n    def on_proxy_error(self, error): print(error.code, flush=True)\n"
    (bot / "bot.py").write_text(BUYER + listens)
    (bot / "other.py").write_text(
        "from strategy_runtime import Strategy\nclass O(Strategy): pass\n"
    )
    options = ("--data", "prices.csv", "--strict", "--linger", 60)
    with (
        proxy(*options, cwd=bot) as (server, urls),
        started("run", "bot", *urls, cwd=bot) as strategy,
    ):
        line_of(strategy.stdout, "DATA_ERROR")
        line_of(server.stderr, "The run has broken off")
        late = call("run", "other", *urls, cwd=bot)
        interrupt(server)
        _, said = server.communicate(timeout=30)
        strategy.kill()
    assert late.returncode == 75
    assert "Error: the proxy aborted the run: DATA_ERROR: prices went from" in late.stderr
    assert server.returncode == 74
    assert "Error: prices went from 118 to 59 overnight with a position open" in said


@pytest.mark.parametrize("which", ["ws", "rest"])
def test_a_port_in_use_is_named_with_its_option(bot: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"ws": 0, "rest": 0} | {which: port}
        done = call(
            "proxy",
            *("--data", "prices.csv", "--ws-port", ports["ws"], "--rest-port", ports["rest"]),
            cwd=bot,
        )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: cannot listen on 127.0.0.1 port {port}: ")
    assert f"--{which}-port (0 picks a free one)" in done.stderr


def test_subscriptions_choose_the_candles_that_are_sent(bot: Path) -> None:
    options = ("--demo", "--subscriptions", "S:MSFT:candle", "--linger", 0, "--json")
    with proxy(*options, cwd=bot) as (server, urls):
        done = call("run", "bot", *urls, cwd=bot)
        assert done.returncode == 0, done.stderr
        document, _ = server.communicate(timeout=30)
    assert {each["symbol"] for each in json.loads(document)["positions"]} == {"S:MSFT"}


@pytest.mark.parametrize(
    ("arguments", "env", "code", "text"),
    [
        ([], {}, 2, "Error: no market data: give --data FILE, or put files into a folder named "),
        (
            ["--demo"],
            {"SUBSCRIPTIONS": "S:TSLA:candle"},
            2,
            "Error: SUBSCRIPTIONS matches nothing that was loaded: S:TSLA was not loaded; loaded "
            "are S:AAPL:candle, S:MSFT:candle\n",
        ),
        (
            ["--demo", "--subscriptions", "S:AAPL"],
            {},
            2,
            "Error: --subscriptions entry 1, 'S:AAPL', has an unknown event 'AAPL'",
        ),
        (["--demo", "--token-file", "no"], {}, 2, "Error: --token-file: cannot read no: No such "),
        (["--demo", "--token-file", ""], {}, 2, "Error: Invalid value for '--token-file': an emp"),
        (
            ["--demo", "--host", "0.0.0.0"],  # noqa: S104
            {},
            2,
            "Error: listening on 0.0.0.0 needs a key: anyone who can reach it could trade. Give "
            "--token-file FILE, with at least 32 characters in it, or listen on 127.0.0.1\n",
        ),
        (
            ["--demo", "--host", "0.0.0.0"],  # noqa: S104
            {"PROXY_API_KEY": "canary"},
            2,
            "Error: listening on 0.0.0.0 needs a longer key",
        ),
        (
            ["--demo"],
            {"PROXY_API_KEY_FILE": "no"},
            2,
            "Error: PROXY_API_KEY_FILE: cannot read no: No such ",
        ),
        (["--demo", "--ws-port", "99999"], {}, 2, "99999 is not in the range 0<=x<=65535"),
        (["--data", "none.csv"], {}, 74, "Error: none.csv does not exist"),
    ],
)
def test_the_error_for_a_mistake_on_the_command_line(
    invoke: Invoke, arguments: list[str], env: dict[str, str], code: int, text: str
) -> None:
    done = invoke("proxy", *arguments, env=env)
    assert text in done.stderr
    assert (done.exit_code, done.stdout) == (code, "")
