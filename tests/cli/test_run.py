"""`strategy-run`: against our own proxy, over real sockets."""

import asyncio
import json
import re
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from tests.cli.conftest import Invoke
from tests.cli.support import (
    BUYER,
    DEMO,
    PRICES,
    call,
    insist,
    interrupt,
    line_of,
    proxy,
    started,
)
from tests.proxy.scripted import CONNECTED, ScriptedProxy

NOBODY = ("--ws-url", "ws://127.0.0.1:9", "--rest-url", "http://127.0.0.1:9")

WAITING = """
import asyncio
import sys

from strategy_runtime import Strategy


class Bot(Strategy):
    async def on_candle(self, candle):
        print("ready", file=sys.stderr, flush=True)
        await asyncio.sleep(3600)

    def on_stop(self):
        print("on_stop was called", file=sys.stderr, flush=True)
"""

BUSY = WAITING.replace("await asyncio.sleep(3600)", "while True: pass")


# A run to its end


def test_a_backtest_to_its_end(bot: Path) -> None:
    with proxy("--data", "prices.csv", "--linger", 0, "--json", cwd=bot) as (server, urls):
        done = call("run", "bot", *urls, "--set", "quantity=3", cwd=bot)
        document, _ = server.communicate(timeout=30)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    log = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in log] == [
        f"looking for the proxy at {urls[3]}",
        f"running Buyer in backtest mode at {urls[1]}",
        "the backtest is over",
    ]
    assert {line.get("strategy") for line in log[1:]} == {"Buyer"}
    assert server.returncode == 0
    assert json.loads(document)["positions"][0]["quantity"] == "3"


@pytest.mark.parametrize(
    ("then", "code", "count"), [("raise ValueError('here')", 70, 1), ("self.seen = 2", 0, 3)]
)
def test_what_another_run_has_left_of_a_backtest_is_refused(
    bot: Path, then: str, code: int, count: int
) -> None:
    (bot / "prices.csv").write_text("\n".join(PRICES.splitlines()[:3]))
    (bot / "brief.py").write_text(
        "from strategy_runtime import Strategy\n\n\nclass Brief(Strategy):\n"
        "    def on_start(self):\n        self.seen = 0\n\n"
        "    def on_candle(self, candle):\n"
        f"        if self.seen:\n            {then}\n        self.seen = 1\n"
    )
    with proxy("--data", "prices.csv", "--linger", 30, "--json", cwd=bot) as (server, urls):
        first = call("run", "brief", *urls, cwd=bot)
        assert first.returncode == code, first.stderr
        again = call("run", "brief", *urls, cwd=bot)
        if code:
            line_of(server.stderr, "The strategy has disconnected; the run waits for it")
    assert again.returncode == 2
    assert again.stderr.endswith(
        f"Error: this backtest has already begun: {count} of its events have been acknowledged by "
        "another run, and its time does not run back; restart the proxy, then the strategy\n"
    )


def test_settings_from_the_environment_and_a_file(bot: Path) -> None:
    with proxy("--data", "prices.csv", "--linger", 0, "--json", cwd=bot) as (server, urls):
        (bot / "bot.env").write_text(
            f"PROXY_REST_URL={urls[3]}\nPROXY_WS_URL=ws://127.0.0.1:9\nPARAM_QUANTITY=4\n"
            "LOG_FORMAT=console\n"
        )
        done = call("run", "bot", "--env-file", "bot.env", cwd=bot, env={"PROXY_WS_URL": urls[1]})
        assert done.returncode == 0, done.stderr
        document, _ = server.communicate(timeout=30)
    assert "[info     ] the backtest is over" in done.stderr
    assert json.loads(document)["positions"][0]["quantity"] == "4"


def test_the_strategys_own_log_lines_are_part_of_the_log(bot: Path) -> None:
    (bot / "bot.py").write_text(BUYER + "        self.log.info('seen', close=candle.close)\n")
    with proxy("--data", "prices.csv", "--linger", 0, cwd=bot) as (_, urls):
        done = call("run", "bot", *urls, cwd=bot)
    seen = [json.loads(line) for line in done.stderr.splitlines() if '"seen"' in line]
    assert [line["close"] for line in seen] == [105, 110, 96, 118]
    assert {(line["level"], line["strategy"], line["run_id"]) for line in seen} == {
        ("info", "Buyer", "bt")
    }


# --check


def test_check_shows_everything_with_its_origin_and_moves_nothing(bot: Path) -> None:
    with proxy("--data", "prices.csv", "--linger", 0, "--json", cwd=bot) as (server, urls):
        env = {"PROXY_REST_URL": urls[3], "PARAM_QUANTITY": "5", "PROXY_API_KEY": "hush-hush"}
        done = call("run", "bot", "--ws-url", urls[1], "--check", cwd=bot, env=env)
        assert done.returncode == 0, done.stderr
        words = [line.split() for line in done.stdout.splitlines()]
        assert ["ws-url", urls[1], "--ws-url"] in words
        assert ["rest-url", urls[3], "PROXY_REST_URL"] in words
        assert ["api-key", "********", "PROXY_API_KEY"] in words
        assert ["timeframe", "1m", "default"] in words
        assert ["quantity", "5", "PARAM_QUANTITY"] in words
        assert [line[:2] for line in words if line[:1] == ["ok"]] == [
            ["ok", "requests"],
            ["ok", "mode"],
            ["ok", "events"],
        ]
        assert "hush" not in done.stdout + done.stderr
        # The run still starts at the first bar.
        assert call("run", "bot", *urls, cwd=bot).returncode == 0
        document, _ = server.communicate(timeout=30)
    assert json.loads(document)["fills"] == 1


STATEFUL = """
from msgspec import Struct
from strategy_runtime import Strategy


class Memory(Struct):
    spent: int = 0


class Bot(Strategy):
    state: Memory
"""


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", 0, "(not used before, and the state fits)"),
        ('{"spent": 5}', 0, "(used before, and the state fits)"),
        ('{"spent": "abc"}', 1, "does not fit Memory"),
    ],
)
def test_check_reads_the_state_of_a_live_run(bot: Path, text: str, code: int, said: str) -> None:
    (bot / "bot.py").write_text(STATEFUL)
    with proxy("--data", "prices.csv", cwd=bot) as (_, urls):
        place = bot / "kept"
        folder = place / f"Bot@localhost-{urls[3].rpartition(':')[2]}"
        if text:
            folder.mkdir(parents=True)
            (folder / "state.json").write_text(text)
        options = ("--mode=live", "--state-dir", place, "--check")
        done = call("run", "bot", *urls, *options, cwd=bot)
    assert done.returncode == code
    assert str(folder) in done.stdout
    assert said in done.stdout
    assert folder.exists() is bool(text)


def test_check_fails_for_a_symbol_that_the_proxy_does_not_know(bot: Path) -> None:
    with proxy("--data", "prices.csv", cwd=bot) as (_, urls):
        known = call("run", "bot", *urls, "--subscriptions=prices:candle", "--check", cwd=bot)
        done = call("run", "bot", *urls, "--subscriptions=pricse:candle", "--check", cwd=bot)
    assert known.returncode == 0, known.stdout
    assert done.returncode == 1
    assert (
        "FAILED: --subscriptions: pricse:candle: SYMBOL_NOT_FOUND: no data for symbol pricse"
        in done.stdout
    )


def test_check_needs_no_symbol_and_no_state_and_shows_what_was_set(bot: Path) -> None:
    with proxy("--data", "prices.csv", cwd=bot) as (_, urls):
        options = (
            "--subscriptions=*:candle",
            "--mode=live",
            "--state-dir=none",
            "--set=quantity=7",
        )
        done = call("run", "bot", *urls, *options, "--check", cwd=bot)
    assert done.returncode == 0, done.stdout
    assert "  ok  state  none  (nothing is kept)" in done.stdout
    assert ["quantity", "7", "--set"] in [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize("path", ["/orders", "/positions"])
async def test_check_tells_of_what_a_run_would_ask_for_in_vain(path: str, bot: Path) -> None:
    async def greets(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        await proxy.until_closed(socket)

    async with ScriptedProxy(greets).serving() as scripted:
        scripted.answers["GET", "/capabilities"] = [(200, {})]
        refusal = {"code": "UNSUPPORTED_OPERATION", "message": "no bars"}
        scripted.answers["GET", "/bars/S:X"] = [(501, refusal)]
        command = ("run", "bot", *scripted.flags, "--subscriptions=S:X:candle", "--check")
        done = await asyncio.to_thread(call, *command, cwd=bot)
        assert "USD, 0 open orders, 0 positions)" in done.stdout
        assert done.returncode == 0
        scripted.answers["GET", path] = [(200, {"balance": "none"})]
        done = await asyncio.to_thread(call, *command, cwd=bot)
    assert f"  FAILED: the answer to GET {path} cannot be read: the body" in done.stdout
    assert done.returncode == 1


def test_check_fails_with_1_where_nobody_answers(bot: Path, invoke: Invoke) -> None:
    done = invoke("run", "bot", *NOBODY, "--check", "--connect-timeout", "0")
    assert done.exit_code == 1
    assert "Parameters of Buyer\n  quantity  10  default\n" in done.stdout
    assert "  FAILED: " in done.stdout
    assert "127.0.0.1:9" in done.stdout.splitlines()[-1]


def test_check_fails_with_1_where_the_strategy_cannot_be_loaded(bot: Path, invoke: Invoke) -> None:
    done = invoke("run", "bot:Nobody", *NOBODY, "--check")
    assert done.exit_code == 1
    assert f"Error: 'bot' ({bot / 'bot.py'}) has no 'Nobody'; its strategies are" in done.stderr


@pytest.mark.parametrize(
    ("slip", "code"), [(("--mode", "lve"), 1), (("--set", "quantty=1"), 1), (("--mdoe",), 2)]
)
def test_check_fails_with_1_where_a_value_is_wrong_and_with_2_where_an_option_is(
    bot: Path, invoke: Invoke, slip: tuple[str, ...], code: int
) -> None:
    assert invoke("run", "bot", *NOBODY, "--check", *slip).exit_code == code


def test_a_subscription_of_which_nothing_came_is_warned_of(bot: Path) -> None:
    wanted = "S:NOPE:candle,price:candle_1d,prices:candle,prices:order"
    with proxy("--data", "prices.csv", "--linger", 0, cwd=bot) as (_, urls):
        done = call("run", "bot", *urls, cwd=bot, env={"SUBSCRIPTIONS": wanted})
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert [each["event"] for each in said if each["level"] == "warning"] == [
        "SUBSCRIPTIONS: nothing came of S:NOPE:candle; what came was prices:candle_1d",
        "SUBSCRIPTIONS: nothing came of price:candle_1d; did you mean 'prices:candle_1d'?",
    ]


# What it refuses, and its exit codes


@pytest.mark.parametrize(
    ("arguments", "env", "text"),
    [
        (["bto"], {}, "Error: there is no module 'bto' in "),
        (["bot"], {"STRATEGY_MODE": "lve"}, "Error: STRATEGY_MODE: 'lve' is none of auto, "),
        (["bot", "--mode", "lve"], {}, "Error: --mode: 'lve' is none of auto, backtest, live; "),
        (["bot"], {"SUBSCRIPTIONS": "S:AAPL"}, "Error: SUBSCRIPTIONS entry 1, "),
        (["bot", "--env-file", "no.env"], {}, "Error: --env-file no.env cannot be read: No such "),
        (["bot", "--env-file", ""], {}, "Error: Invalid value for '--env-file': an empty path; i"),
        (["bot"], {"PARAM_QUANTTY": "1"}, "Error: PARAM_QUANTTY: Buyer has no "),
        (
            ["bot", "--ws-url", "ws://far.example", "--rest-url", "https://far.example"],
            {"PROXY_API_KEY": "hush"},
            "Error: --ws-url: the API key would cross the network in the clear to far.example; "
            "use wss://\n",
        ),
    ],
)
def test_the_error_for_a_mistake_on_the_command_line(
    bot: Path, invoke: Invoke, arguments: list[str], env: dict[str, str], text: str
) -> None:
    done = invoke("run", *arguments, env=env)
    assert text in done.stderr
    assert (done.exit_code, done.stdout) == (2, "")


def test_check_fails_with_1_where_the_event_loop_is_not_installed(
    bot: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    done = invoke("run", "bot", *NOBODY, "--check", env={"STRATEGY_LOOP": "uvloop"})
    assert done.exit_code == 1
    said = "STRATEGY_LOOP: uvloop is not installed: pip install 'strategy-runtime[uvloop]'"
    assert done.stderr == f"Error: {said}\n"


@pytest.mark.parametrize(
    ("given", "lacking", "said"),
    [
        (
            {"STRATEGY_LOOP": "uvloop"},
            "uvloop",
            "STRATEGY_LOOP: uvloop is not installed: pip install 'strategy-runtime[uvloop]'",
        ),
        (
            {"STRATEGY_TRACES": "otlp"},
            "opentelemetry.exporter.otlp.proto.http.trace_exporter",
            "STRATEGY_TRACES: spans need OpenTelemetry: pip install 'strategy-runtime[otel]'",
        ),
        (
            {"OPS_PORT": "0"},
            "prometheus_client",
            "OPS_PORT: serving metrics needs prometheus-client: "
            "pip install 'strategy-runtime[metrics]'",
        ),
    ],
)
def test_what_is_not_installed_is_named_before_the_proxy_is_looked_for(
    bot: Path,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    lacking: str,
    said: str,
) -> None:
    monkeypatch.setitem(sys.modules, lacking, None)
    done = invoke("run", "bot", *NOBODY, env=given)
    assert (done.exit_code, done.stderr) == (2, f"Error: {said}\n")


def test_a_port_of_the_environment_that_is_taken(bot: Path, invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = invoke("run", "bot", *NOBODY, env={"OPS_PORT": port})
    assert done.exit_code == 2
    assert done.stderr.startswith(f"Error: OPS_PORT: cannot listen on 127.0.0.1 port {port}: ")


def test_a_healthcheck_says_where_it_had_no_answer(bot: Path, invoke: Invoke) -> None:
    done = invoke("run", "--healthcheck", env={"OPS_PORT": "9"})
    assert done.exit_code == 1
    assert done.stdout == (
        "no answer from 127.0.0.1 port 9: Connection refused; is there a run with that ops port?\n"
    )
    done = invoke("run", "--healthcheck")
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: --healthcheck needs the port to ask: set OPS_PORT, as for the run\n"
    )


def test_the_help_has_all_exit_codes(invoke: Invoke) -> None:
    text = " ".join(invoke("run", "--help").stdout.split("Exit codes:")[1].split())
    codes = re.findall(r"\b(\d+) ", text)
    assert [int(code) for code in codes] == [0, 2, 69, 70, 74, 75, 76, 77, 130, 143]


def test_nobody_answers(bot: Path, invoke: Invoke) -> None:
    done = invoke("run", "bot", *NOBODY, "--connect-timeout", "0")
    assert done.exit_code == 69
    assert done.stderr.splitlines()[-1].startswith("Error: nobody answers at http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("named", "setting"),
    [
        ({"GATEWAY_URL": "{}"}, "GATEWAY_URL"),
        ({"PROXY_REST_URL": "{}"}, "PROXY_REST_URL"),
        ({"ENGINE_REST_URL": "{}"}, "ENGINE_REST_URL"),
    ],
)
def test_somebody_answers_who_is_no_proxy(bot: Path, named: dict[str, str], setting: str) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        env = {name: text.format(url) for name, text in named.items()}
        done = call("run", "bot", "--connect-timeout=0", cwd=bot, env=env)
        server.shutdown()
    assert done.returncode == 76
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"Error: {url}")
    assert "answers, but not like a trading proxy: GET /account is unknown under" in last
    assert last.endswith(f"; check {setting}; gave up after 0 s")


def test_a_path_under_which_the_proxy_knows_nothing_is_named(bot: Path) -> None:
    with proxy("--data", "prices.csv", "--linger", 0, cwd=bot) as (_, urls):
        elsewhere = f"{urls[3]}/elsewhere"
        options = (*urls[:3], elsewhere, "--connect-timeout", 0)
        done = call("run", "bot", *options, cwd=bot)
    assert done.returncode == 76
    assert (
        f"Error: {elsewhere} answers, but not like a trading proxy: GET /account is unknown under "
        f"{elsewhere}; check --rest-url"
    ) in done.stderr


def test_a_key_the_proxy_does_not_know(bot: Path) -> None:
    (bot / "key").write_text("k" * 32)
    with proxy("--data", "prices.csv", "--token-file", "key", cwd=bot) as (_, urls):
        done = call("run", "bot", *urls, cwd=bot, env={"PROXY_API_KEY": "other"})
        assert done.returncode == 77, done.stderr
        assert "Error: the proxy refused GET /account with 401: " in done.stderr
        assert call("run", "bot", *urls, "--token-file", "key", cwd=bot).returncode == 0


def test_the_proxy_goes_away_in_the_middle(bot: Path) -> None:
    (bot / "bot.py").write_text(WAITING.replace("3600", "1"))
    with proxy("--data", "prices.csv", cwd=bot) as (server, urls):
        arguments = ("bot", *urls, "--connect-timeout", "1")
        with started("run", *arguments, cwd=bot) as process:
            line_of(process.stderr, "ready")
            server.kill()
            _, said = process.communicate(timeout=40)
    assert process.returncode == 75
    assert "Error: the backtest ended early, its completeness is unknown" in said


def test_the_proxy_is_started_again_in_the_middle(bot: Path) -> None:
    (bot / "bot.py").write_text(WAITING.replace("3600", "1"))
    with (
        proxy("--data", "prices.csv", cwd=bot) as (server, urls),
        started("run", "bot", *urls, cwd=bot) as process,
    ):
        line_of(process.stderr, "ready")
        server.kill()
        server.wait()
        ws_port, rest_port = (urlsplit(url).port for url in (urls[1], urls[3]))
        again = ("--ws-port", ws_port, "--rest-port", rest_port, "--data", "prices.csv")
        with started("proxy", *again, cwd=bot):
            _, said = process.communicate(timeout=40)
    assert process.returncode == 75, said
    assert "Error: the proxy has restarted its backtest" in said


def test_a_failing_hook_is_shown_from_the_users_code_on(bot: Path) -> None:
    (bot / "bot.py").write_text(BUYER + "        raise ValueError('no more')\n")
    with proxy("--data", "prices.csv", cwd=bot) as (_, urls):
        done = call("run", "bot", *urls, cwd=bot)
    assert done.returncode == 70
    said = done.stderr[done.stderr.index("Traceback") :]
    assert said.startswith(
        f'Traceback (most recent call last):\n  File "{bot}/bot.py", line 11, in on_candle\n'
    )
    assert said.endswith("Error: on_candle failed at candle prices 2024-03-04T00:00:00Z (evt-1)\n")


# Signals


@pytest.mark.parametrize("mode", ["backtest", "live"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_in_good_order(bot: Path, number: int, mode: str) -> None:
    (bot / "bot.py").write_text(WAITING)
    with (
        proxy("--data", "prices.csv", cwd=bot) as (_, urls),
        started("run", "bot", *urls, "--mode", mode, cwd=bot) as process,
    ):
        line_of(process.stderr, "ready")
        interrupt(process, number)
        _, said = process.communicate(timeout=8)
    assert process.returncode == 0, said
    assert "on_stop was called" in said


def test_a_signal_ends_the_wait_for_a_proxy(bot: Path) -> None:
    with started("run", "bot", *NOBODY, cwd=bot) as process:
        line_of(process.stderr, "looking for the proxy at http://127.0.0.1:9")
        interrupt(process, signal.SIGTERM)
        process.communicate(timeout=8)
    assert process.returncode == 0


def test_a_second_signal_ends_even_a_busy_hook(bot: Path) -> None:
    (bot / "bot.py").write_text(BUSY)
    with (
        proxy("--data", "prices.csv", cwd=bot) as (_, urls),
        started("run", "bot", *urls, cwd=bot) as process,
    ):
        line_of(process.stderr, "ready")
        interrupt(process, signal.SIGTERM)
        line_of(process.stderr, "stopping; a second signal ends at once")
        insist(process, signal.SIGTERM)
        _, said = process.communicate(timeout=8)
    assert process.returncode == 143
    assert said == "ended at once by a second signal\n"


# The event loop


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_either_event_loop_will_do(bot: Path, loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    with proxy("--data", "prices.csv", "--linger", 0, cwd=bot) as (_, urls):
        done = call("run", "bot", *urls, "--loop", loop, cwd=bot)
    assert done.returncode == 0, done.stderr


def test_the_demo_over_the_network_trades_as_in_process(folder: Path) -> None:
    with proxy("--demo", "--linger", 0, cwd=folder) as (server, urls):
        done = call("run", DEMO, *urls, cwd=folder)
        assert done.returncode == 0, done.stderr
        server.communicate(timeout=30)
    assert call("backtest", "--demo", cwd=folder).returncode == 0
    results = folder / "results"
    for name in ("fills.csv", "orders.csv", "trips.csv", "equity.csv"):
        assert (results / "proxy" / name).read_bytes() == (results / "SmaCross" / name).read_bytes()
