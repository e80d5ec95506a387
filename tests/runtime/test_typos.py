"""Misspelt variables: refused if that is obvious, otherwise warned of."""

from pathlib import Path

import pytest

from strategy_runtime.errors import ConfigError
from strategy_runtime.runtime.settings import read_environment, refuse_typos, resolve


def refusal(variable: str, text: str, **others: str) -> str:
    with pytest.raises(ConfigError) as caught:
        refuse_typos(read_environment({variable: text, **others}))
    return str(caught.value)


def warnings(**environ: str) -> list[str]:
    return resolve({}, read_environment(environ)).warnings


@pytest.mark.parametrize(
    ("variable", "text", "meant"),
    [
        ("STRATEGY_MAX_DAILY_LOS", "5", "STRATEGY_MAX_DAILY_LOSS"),
        ("STRATEGY_MAX_ORDERS_PER_MIN", "few", "STRATEGY_MAX_ORDERS_PER_MINUTE"),
        ("strategy_max_daily_loss", "5", "STRATEGY_MAX_DAILY_LOSS"),
        ("STRATEGY_ONERROR", "stop", "STRATEGY_ON_ERROR"),
        ("PROXY_WSURL", "ws://x", "PROXY_WS_URL"),
        ("PROXY_API_KEYFILE", "key", "PROXY_API_KEY_FILE"),
        ("SUBSCRIPTION", "S:AAPL:candle", "SUBSCRIPTIONS"),
        ("TIMEFRAMES", "5m", "TIMEFRAME"),
        ("OPS_PORTS", "9090", "OPS_PORT"),
    ],
)
def test_a_near_miss_is_refused(variable: str, text: str, meant: str) -> None:
    assert refusal(variable, text) == (
        f"{variable} is not a setting, and would be ignored; did you mean {meant!r}? Rename it or "
        "remove it"
    )


def test_every_limit_that_there_is_not_is_refused() -> None:
    assert refusal("STRATEGY_MAX_DRAWDOWN", "5") == (
        "STRATEGY_MAX_DRAWDOWN is not a setting, and would be ignored; the limits are "
        "STRATEGY_MAX_DAILY_LOSS, STRATEGY_MAX_ORDERS_PER_MINUTE, STRATEGY_MAX_ORDER_NOTIONAL, "
        "STRATEGY_MAX_POSITION_NOTIONAL. Rename it or remove it"
    )
    both = refusal("STRATEGY_MAX_DAILY_LOS", "5", STRATEGY_MAX_DAILY_LOSS="6")
    assert both.startswith("STRATEGY_MAX_DAILY_LOS is not a setting, and would be ignored; the lim")


def test_a_slip_in_a_file_is_refused_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "bot.env"
    file.write_text("STRATEGY_MAX_DAILY_LOS=5\n")
    with pytest.raises(ConfigError) as caught:
        resolve({}, read_environment({}, file))
    assert str(caught.value).startswith(f"STRATEGY_MAX_DAILY_LOS in {file} is not a setting, and ")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SUBSCRIPTION", "6f1c2a9e-0d3b-4a57-9d7e-2b1d6a1c0f11"),  # somebody's cloud
        ("TIMEFRAMES", "1m,5m,1h"),
        ("GLOG_LEVEL", "info"),
        ("STATS_DIR", "/var/stats"),
        ("STRATEGY_NAME", "sma"),
        ("STRATEGY_MODEL", "model.pkl"),
        ("PROXY_URL", "http://proxy:3128"),
        ("HTTP_PROXY", "http://proxy:3128"),
        ("GATEWAY_URI", "http://gateway"),
        ("STRATEGY_MAX_DAILY_LOSS", "5"),
        ("TRADING_GATEWAY_API_KEY_FILE", "key"),
        ("STRATEGY_MAX_DAILY_LOS", ""),
    ],
)
def test_nothing_is_refused_that_may_be_unrelated(variable: str, text: str) -> None:
    refuse_typos(read_environment({variable: text}))


def test_what_may_be_a_slip_is_pointed_out() -> None:
    found = warnings(STRATEGY_MODUS="live", LOGLEVEL="debug", PARAM_FAST="3", HOME="/x")
    loglevel, modus = found
    assert loglevel == "LOGLEVEL is not a setting; did you mean 'LOG_LEVEL'?"
    assert modus.startswith("STRATEGY_MODUS is not a setting; did you mean 'STRATEGY_MODE'")


def test_the_links_that_kubernetes_sets_for_a_service_called_proxy_are_not() -> None:
    found = warnings(
        PROXY_SERVICE_HOST="10.0.0.1",
        PROXY_SERVICE_PORT="8080",
        PROXY_SERVICE_PORT_REST="8080",
        PROXY_PORT="tcp://10.0.0.1:8080",
        PROXY_PORT_8080_TCP="tcp://10.0.0.1:8080",
        PROXY_PORT_8080_TCP_ADDR="10.0.0.1",
    )
    assert found == []


def test_a_stranger_in_the_env_file_is_named_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "bot.env"
    file.write_text("PROXY_URL=ws://x\n")
    (warning,) = resolve({}, read_environment({}, file)).warnings
    assert warning.startswith(f"PROXY_URL in {file} is not a setting; did you mean ")
