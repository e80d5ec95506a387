"""Settings: which source wins, what is refused, what is shown."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from strategy_runtime.errors import ConfigError, SubscriptionError, TimeframeError
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.settings import (
    SETTINGS,
    Environment,
    Setting,
    Settings,
    read_environment,
    resolve,
)


def settings(flags: Mapping[str, str | None] | None = None, /, **environ: str) -> Settings:
    return resolve(flags or {}, read_environment(environ))


# Which source wins


def test_the_defaults() -> None:
    found = settings()
    assert (found.ws_url, found.rest_url) == ("ws://localhost:8082", "http://localhost:8080")
    assert (found.api_key, found.timeframe, found.mode) == (None, "1m", "auto")
    assert len(found.subscriptions) == 0
    assert found.connect_timeout == 60.0
    assert set(found.origins.values()) == {"default"}
    assert found.warnings == []


def test_option_before_environment_before_file_before_default(tmp_path: Path) -> None:
    file = tmp_path / "bot.env"
    file.write_text("TIMEFRAME=15m\nSTRATEGY_MODE=live\nLOG_LEVEL=debug\n")
    environment = read_environment({"TIMEFRAME": "5m", "STRATEGY_MODE": "backtest"}, file)
    found = resolve({"timeframe": "1h", "mode": None}, environment)
    assert (found.timeframe, found.origins["timeframe"]) == ("1h", "--timeframe")
    assert (found.mode, found.origins["mode"]) == ("backtest", "STRATEGY_MODE")
    assert (found.log_level, found.origins["log_level"]) == ("debug", f"LOG_LEVEL in {file}")
    assert (found.loop, found.origins["loop"]) == ("auto", "default")


@pytest.mark.parametrize(
    ("variable", "text", "lines", "ws_url", "rest_url"),
    [
        (
            "GATEWAY_URL",
            "http://g",
            "PROXY_WS_URL=ws://a:1\nPROXY_REST_URL=http://b:2\n",
            "ws://g",
            "http://g",
        ),
        (
            "ENGINE_WS_URL",
            "ws://e:1",
            "PROXY_WS_URL=ws://a:1\n",
            "ws://e:1",
            "http://localhost:8080",
        ),
        (
            "TRADING_GATEWAY_URL",
            "http://t",
            "GATEWAY_URL=http://g\n",
            "ws://t",
            "http://t",
        ),
        # The pair may come from both sources.
        ("PROXY_REST_URL", "http://b:2", "PROXY_WS_URL=ws://a:1\n", "ws://a:1", "http://b:2"),
    ],
)
def test_an_address_of_the_environment_comes_before_those_of_the_file(
    variable: str, text: str, lines: str, ws_url: str, rest_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "bot.env"
    file.write_text(lines)
    found = resolve({}, read_environment({variable: text}, file))
    assert (found.ws_url, found.rest_url) == (ws_url, rest_url)


@pytest.mark.parametrize(
    "line",
    ["PROXY_API_KEY=filed", "PROXY_API_KEY_FILE=nowhere", "TRADING_GATEWAY_API_KEY=filed"],
)
@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PROXY_API_KEY", "hush"),
        ("PROXY_API_KEY_FILE", "key"),
        ("TRADING_GATEWAY_API_KEY", "hush"),
        ("TRADING_GATEWAY_API_KEY_FILE", "key"),
    ],
)
def test_a_secret_of_the_environment_comes_before_that_of_the_file(
    variable: str, text: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("key").write_text("hush\n")
    Path("bot.env").write_text(f"{line}\n")
    found = resolve({}, read_environment({variable: text}, Path("bot.env")))
    assert (found.api_key, found.origins["api_key"]) == ("hush", variable)


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    file = tmp_path / "bot.env"
    file.write_text("TIMEFRAME=15m\nLOG_LEVEL=\n")
    found = resolve({}, read_environment({"TIMEFRAME": "", "SUBSCRIPTIONS": ""}, file))
    assert (found.timeframe, found.log_level) == ("15m", "info")
    assert found.origins["subscriptions"] == "default"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.flag)
def test_an_empty_option_is_refused(setting: Setting) -> None:
    """As `--max-daily-loss "$LOSS"` would be without LOSS: a limit that limits nothing."""
    with pytest.raises(ConfigError, match=f"{setting.flag} has an empty value; is the variable th"):
        settings({setting.name: " "})


def test_every_setting_has_an_origin_and_a_row() -> None:
    found = settings()
    assert set(found.origins) == {setting.name for setting in SETTINGS}
    assert len(found.rows()) == len(SETTINGS)


# Limits on risk


def test_limits_are_amounts_and_a_count() -> None:
    found = settings(
        STRATEGY_MAX_ORDERS_PER_MINUTE="60",
        STRATEGY_MAX_ORDER_NOTIONAL="1e4",
        STRATEGY_MAX_DAILY_LOSS="99.50",
    )
    assert found.limits == Limits(
        max_orders_per_minute=60,
        max_order_notional=Decimal(10_000),
        max_daily_loss=Decimal("99.5"),
    )
    shown = {name: text for name, text, _ in found.rows()}
    assert (shown["max-order-notional"], shown["max-daily-loss"]) == ("10000", "99.5")
    assert not settings().limits


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("max_orders_per_minute", "0", "'0' is not a whole number above zero"),
        ("max_orders_per_minute", "1.5", "'1.5' is not a whole number above zero"),
        ("max_order_notional", "-5", "'-5' is not an amount above zero"),
        ("max_position_notional", "many", "'many' is not an amount above zero"),
        ("max_daily_loss", "nan", "'nan' is not an amount above zero"),
    ],
)
def test_a_limit_that_cannot_be_one_is_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings({name: text})
    assert str(refused.value) == f"--{name.replace('_', '-')}: {message}"


# Where the proxy is


@pytest.mark.parametrize(
    ("environ", "ws_url", "rest_url"),
    [
        (
            {"PROXY_WS_URL": "ws://a:1", "PROXY_REST_URL": "http://b:2"},
            "ws://a:1",
            "http://b:2",
        ),
        # Each URL of a pair falls back to its default, not to the next pair.
        (
            {"PROXY_WS_URL": "ws://a:1", "ENGINE_REST_URL": "http://e:2"},
            "ws://a:1",
            "http://localhost:8080",
        ),
        ({"ENGINE_REST_URL": "http://e:2"}, "ws://localhost:8082", "http://e:2"),
        (
            {"ENGINE_WS_URL": "ws://e:1", "GATEWAY_URL": "http://g"},
            "ws://e:1",
            "http://localhost:8080",
        ),
        ({"GATEWAY_URL": "http://g:8080"}, "ws://g:8080", "http://g:8080"),
        ({"GATEWAY_URL": "https://g/"}, "wss://g", "https://g"),
        ({"GATEWAY_URL": "http://g/v1"}, "ws://g/v1/ws", "http://g/v1"),
        ({"GATEWAY_URL": "https://g/desk/"}, "wss://g/desk/v1/ws", "https://g/desk/v1"),
        (
            {"TEKTII_TRADING_GATEWAY_URL": "http://t", "TRADING_GATEWAY_URL": "http://u"},
            "ws://t",
            "http://t",
        ),
        ({"TRADING_GATEWAY_URL": "http://u/v1/"}, "ws://u/v1/ws", "http://u/v1"),
    ],
)
def test_the_first_pair_of_which_one_is_set_wins(
    environ: dict[str, str], ws_url: str, rest_url: str
) -> None:
    found = settings(**environ)
    assert (found.ws_url, found.rest_url) == (ws_url, rest_url)


def test_an_option_replaces_one_of_the_pair() -> None:
    found = settings({"ws_url": "ws://flag:1"}, GATEWAY_URL="http://g")
    assert (found.ws_url, found.rest_url) == ("ws://flag:1", "http://g")
    assert (found.origins["ws_url"], found.origins["rest_url"]) == ("--ws-url", "GATEWAY_URL")


# Secrets


def test_a_secret_from_a_variable_is_never_shown() -> None:
    found = settings(PROXY_API_KEY="hush-hush")
    assert found.api_key == "hush-hush"
    assert ("api-key", "********", "PROXY_API_KEY") in found.rows()
    assert "hush" not in str(found.rows())


@pytest.mark.parametrize("variable", ["PROXY_API_KEY_FILE", "TRADING_GATEWAY_API_KEY_FILE"])
def test_a_secret_from_a_file(variable: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hush\n")
    found = settings(**{variable: str(tmp_path / "key")})
    assert (found.api_key, found.origins["api_key"]) == ("hush", variable)


def test_a_secret_from_the_file_of_the_option(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hush\n")
    found = settings({"api_key": str(tmp_path / "key")}, PROXY_API_KEY="other")
    assert (found.api_key, found.origins["api_key"]) == ("hush", "--token-file")


def test_secret_files_that_will_not_do(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text(" \n")
    with pytest.raises(ConfigError, match=f"^PROXY_API_KEY_FILE: {empty} is empty$"):
        settings(PROXY_API_KEY_FILE=str(empty))
    with pytest.raises(ConfigError) as caught:
        settings({"api_key": str(tmp_path / "no")})
    assert str(caught.value) == (
        f"--token-file: cannot read {tmp_path / 'no'}: No such file or directory"
    )
    with pytest.raises(ConfigError) as caught:
        settings(PROXY_API_KEY="a", PROXY_API_KEY_FILE="b")
    assert (
        str(caught.value) == "PROXY_API_KEY and PROXY_API_KEY_FILE are both set; remove one of them"
    )


def test_a_secret_that_an_env_file_gives_badly_is_told_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "bot.env"
    file.write_text("PROXY_API_KEY_FILE=nowhere\n")
    with pytest.raises(ConfigError) as caught:
        resolve({}, read_environment({}, file))
    assert str(caught.value) == (
        f"PROXY_API_KEY_FILE in {file}: cannot read nowhere: No such file or directory"
    )
    file.write_text("PROXY_API_KEY_FILE=nowhere\nPROXY_API_KEY=a\n")
    with pytest.raises(ConfigError) as caught:
        resolve({}, read_environment({}, file))
    assert str(caught.value) == (
        f"PROXY_API_KEY in {file} and PROXY_API_KEY_FILE in {file} are both set; remove one of them"
    )


def test_the_mark_that_begins_a_file_of_windows_belongs_to_no_key_and_no_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbfhush\r\n")
    (tmp_path / "bot.env").write_bytes(b"\xef\xbb\xbfPROXY_API_KEY_FILE=key\r\nTIMEFRAME=5m\r\n")
    assert settings({"api_key": str(tmp_path / "key")}).api_key == "hush"
    environment = read_environment({}, tmp_path / "bot.env")
    assert environment.values == {"PROXY_API_KEY_FILE": "key", "TIMEFRAME": "5m"}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("hush\ndef", "has more than one line"),
        ("hush\r\n\r\ndef", "has more than one line"),
        ("hush\x00def", "has a character that no key can have, U+0000"),
        ("hush\tdef", "has a character that no key can have, U+0009"),
        ("hush\u200bdef", "has a character that no key can have, U+200B"),
        ("\u200bhush", "has a character that no key can have, U+200B"),
    ],
)
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(
    key: str, said: str, tmp_path: Path
) -> None:
    file, env_file = tmp_path / "key", tmp_path / "bot.env"
    file.write_bytes(f"{key}\n".encode())
    env_file.write_bytes(f'PROXY_API_KEY="{key}"\n'.encode())
    where: dict[str, Callable[[], Settings]] = {
        "PROXY_API_KEY": lambda: settings(PROXY_API_KEY=key),
        f"PROXY_API_KEY in {env_file}": lambda: resolve({}, read_environment({}, env_file)),
        f"PROXY_API_KEY_FILE: {file}": lambda: settings(PROXY_API_KEY_FILE=str(file)),
        f"--token-file: {file}": lambda: settings({"api_key": str(file)}),
    }
    for place, give in where.items():
        with pytest.raises(ConfigError) as refused:
            give()
        assert str(refused.value) == f"{place} {said}; write the key alone"


# What is refused


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        (
            {"PROXY_WS_URL": "http://x"},
            "PROXY_WS_URL: 'http://x' is not a URL that begins with ws or wss, such as "
            "ws://localhost:8082",
        ),
        (
            {"PROXY_REST_URL": "localhost:8080"},
            "PROXY_REST_URL: 'localhost:8080' is not a URL that begins with http or https, such as "
            "http://localhost:8080",
        ),
        (
            {"PROXY_REST_URL": "http://x:port"},
            "PROXY_REST_URL: 'http://x:port' is not a URL: Port could not be cast to integer value "
            "as 'port'",
        ),
        (
            {"PROXY_REST_URL": "http://me:word@local host:8080"},
            "PROXY_REST_URL: 'local host' cannot be the name of a host; write a URL such as "
            "http://localhost:8080",
        ),
        (
            {"GATEWAY_URL": "http://a..b"},
            "GATEWAY_URL: 'a..b' cannot be the name of a host; write a URL such as "
            "http://localhost:8080",
        ),
        (
            {"GATEWAY_URL": "gateway"},
            "GATEWAY_URL: 'gateway' is not a URL that begins with http or https or ws or wss, such "
            "as http://localhost:8080",
        ),
        (
            {"STRATEGY_MODE": "backtst"},
            "STRATEGY_MODE: 'backtst' is none of auto, backtest, live; did you mean 'backtest'?",
        ),
        (
            {"STRATEGY_CONNECT_TIMEOUT": "soon"},
            "STRATEGY_CONNECT_TIMEOUT: 'soon' is not a number of seconds",
        ),
        (
            {"STRATEGY_CONNECT_TIMEOUT": "-1"},
            "STRATEGY_CONNECT_TIMEOUT: '-1' is not a number of seconds",
        ),
    ],
)
def test_a_bad_value_names_its_variable(environ: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**environ)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "host",
    [
        *("a b", "a\u00a0b", "a\x7fb", "a,b", "a%20b", 'a"b', "<host>", "${HOST}", "a\\b"),
        *(".a", "a..b", f"{'x' * 64}.a", "b\u00fc..x"),
    ],
)
def test_a_host_that_nobody_can_have_is_refused(host: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings({"ws_url": f"wss://{host}:1/ws"})
    assert str(refused.value) == (
        f"--ws-url: {host.lower()!r} cannot be the name of a host; write a URL such as "
        "ws://localhost:8082"
    )


@pytest.mark.parametrize(
    "host", ["h", "H.x.", "my_proxy-1", "b\u00fccher.x", "10.0.0.1", "[::1]", "[fe80::1%eth0]"]
)
def test_names_and_addresses_of_every_kind_may_be_hosts(host: str) -> None:
    assert settings({"ws_url": f"ws://{host}:1/a b"}).ws_url == f"ws://{host}:1/a b"


def test_a_bad_value_names_its_option() -> None:
    with pytest.raises(ConfigError, match=r"^--mode: 'paper' is none of auto, backtest, live$"):
        settings({"mode": "paper"}, STRATEGY_MODE="live")


def test_bad_subscriptions_and_timeframes_name_their_source() -> None:
    with pytest.raises(SubscriptionError, match=r"^--subscriptions entry 2, 'AAPL',"):
        settings({"subscriptions": "S:AAPL:candle,AAPL"})
    with pytest.raises(TimeframeError, match=r"^TIMEFRAME: '5min' is not a timeframe"):
        settings(TIMEFRAME="5min")


def test_an_env_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_environment({}, tmp_path / "no.env")
    assert str(caught.value) == (
        f"--env-file {tmp_path / 'no.env'} cannot be read: No such file or directory"
    )


@pytest.mark.parametrize(
    ("line", "number"),
    [("STRATEGY MODE=live", 2), ('LOG_LEVEL="debug', 2), ("=5", 2), ("\n  \nA B=5", 4)],
)
def test_a_line_of_an_env_file_that_cannot_be_read(line: str, number: int, tmp_path: Path) -> None:
    file = tmp_path / "bot.env"
    file.write_text(f"# ours\n{line}\nTIMEFRAME=5m\n")
    with pytest.raises(ConfigError) as caught:
        read_environment({}, file)
    assert str(caught.value) == (
        f"--env-file {file} line {number}: this is not NAME=VALUE, or a quotation mark is missing"
    )


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("STRATEGY_MAX_DAILY_LOSS", 2),
        ("export STRATEGY_MAX_DAILY_LOSS  # none", 2),
        ("\n\n  STRATEGY_MAX_DAILY_LOSS", 4),
        ("LOG_LEVEL='a\nb'\nSTRATEGY_MAX_DAILY_LOSS", 4),
    ],
)
def test_a_name_alone_on_a_line_of_an_env_file_is_refused(
    line: str, number: int, tmp_path: Path
) -> None:
    file = tmp_path / "bot.env"
    file.write_text(f"# ours\n{line}\nTIMEFRAME=5m\n")
    with pytest.raises(ConfigError) as caught:
        read_environment({}, file)
    assert str(caught.value) == (
        f"--env-file {file} line {number}: there is only a name; write NAME=VALUE, or remove the "
        "line"
    )


def test_the_environment_keeps_what_is_not_ours() -> None:
    assert read_environment({"PARAM_FAST": "3", "EMPTY": ""}) == Environment(
        {"PARAM_FAST": "3"}, {}
    )
