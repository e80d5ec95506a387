"""All settings of a run, each defined once as a field with type, names and default."""

from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from strategy_runtime.protocol.subscriptions import Subscriptions, parse_subscriptions
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.rounding import Rounding, Steps, steps_of
from strategy_runtime.runtime.settings import values
from strategy_runtime.runtime.settings.setting import Setting, settings_of

__all__ = ["SETTINGS", "Settings"]


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of one run.

    Attributes:
        origins: Origin of each by field: an option, a variable, or `default`.
        warnings: Warnings of probable mistakes.
    """

    ws_url: Annotated[
        str,
        Setting(
            variables=("PROXY_WS_URL", "ENGINE_WS_URL"),
            metavar="URL",
            default="ws://localhost:8082",
            read=values.stream_url,
            help="Where the proxy's event stream is.",
        ),
    ]
    rest_url: Annotated[
        str,
        Setting(
            variables=("PROXY_REST_URL", "ENGINE_REST_URL"),
            metavar="URL",
            default="http://localhost:8080",
            read=values.request_url,
            help="Where the proxy takes orders.",
        ),
    ]
    api_key: Annotated[
        str | None,
        Setting(
            flag="--token-file",
            variables=(
                "PROXY_API_KEY",
                "TEKTII_TRADING_GATEWAY_API_KEY",
                "TRADING_GATEWAY_API_KEY",
            ),
            metavar="FILE",
            read=values.or_none,
            is_secret=True,
            help="File with the API key of the proxy, if it requires one.",
        ),
    ]
    subscriptions: Annotated[
        Subscriptions,
        Setting(
            variables=("SUBSCRIPTIONS",),
            metavar="LIST",
            read=parse_subscriptions,
            help="What to receive, such as S:AAPL:candle,C:BTCUSD:quote. Default: all there is.",
        ),
    ]
    timeframe: Annotated[
        str,
        Setting(
            variables=("TIMEFRAME",),
            metavar="TF",
            default="1m",
            read=values.timeframe,
            help="Timeframe of candles that name none.",
        ),
    ]
    mode: Annotated[
        Literal["auto", "backtest", "live"],
        Setting(
            variables=("STRATEGY_MODE",),
            default="auto",
            help="Whether the proxy runs a backtest or trades live; auto asks it.",
        ),
    ]
    on_error: Annotated[
        Literal["auto", "stop", "continue"],
        Setting(
            variables=("STRATEGY_ON_ERROR",),
            default="auto",
            help="Whether a failing hook ends the run; auto stops a backtest, but lets a live run "
            "continue until 5 failures in a minute or 3 in a row.",
        ),
    ]
    on_exit: Annotated[
        Literal["keep", "cancel", "flatten"],
        Setting(
            variables=("STRATEGY_ON_EXIT",),
            default="keep",
            help="What a live run leaves behind: everything (keep), no open orders (cancel), or "
            "neither orders nor positions (flatten).",
        ),
    ]
    max_orders_per_minute: Annotated[
        int | None,
        Setting(
            variables=("STRATEGY_MAX_ORDERS_PER_MINUTE",),
            metavar="COUNT",
            read=values.count,
            help="Most orders and order changes per minute; further ones are refused. Cancels do "
            "not count.",
        ),
    ]
    max_order_notional: Annotated[
        Decimal | None,
        Setting(
            variables=("STRATEGY_MAX_ORDER_NOTIONAL",),
            metavar="AMOUNT",
            read=values.amount,
            help="Largest value of an order, in account currency, unless it reduces a position.",
        ),
    ]
    max_position_notional: Annotated[
        Decimal | None,
        Setting(
            variables=("STRATEGY_MAX_POSITION_NOTIONAL",),
            metavar="AMOUNT",
            read=values.amount,
            help="Largest value of the position in a symbol, including the orders that would add "
            "to it.",
        ),
    ]
    max_daily_loss: Annotated[
        Decimal | None,
        Setting(
            variables=("STRATEGY_MAX_DAILY_LOSS",),
            metavar="AMOUNT",
            read=values.amount,
            help="Largest loss of equity in a UTC day; once reached, only orders that reduce a "
            "position are sent until the day is over.",
        ),
    ]
    lot_size: Annotated[
        Steps,
        Setting(
            variables=("STRATEGY_LOT_SIZE",),
            metavar="STEPS",
            read=steps_of,
            help="Round quantities down to multiples of this, such as 1, or by symbol: "
            "S:AAPL=1,*=0.001.",
        ),
    ]
    tick_size: Annotated[
        Steps,
        Setting(
            variables=("STRATEGY_TICK_SIZE",),
            metavar="STEPS",
            read=steps_of,
            help="Round order prices to multiples of this, a limit to no worse a price, a stop to "
            "trigger no sooner; by symbol as above.",
        ),
    ]
    state_dir: Annotated[
        str,
        Setting(
            variables=("STATE_DIR",),
            metavar="DIR",
            help="Folder for a live run's lock, journal of orders and state; none keeps nothing. "
            "Default: a folder in $XDG_STATE_HOME or ~/.local/state.",
        ),
    ]
    record: Annotated[
        str | None,
        Setting(
            variables=("STRATEGY_RECORD",),
            metavar="FILE",
            read=values.recording,
            help="Append everything the proxy sends to this file (.jsonl); strategy-backtest "
            "--data replays its candles and quotes.",
        ),
    ]
    loop: Annotated[
        Literal["auto", "asyncio", "uvloop"],
        Setting(
            variables=("STRATEGY_LOOP",),
            default="auto",
            help="Event loop; auto uses uvloop if it is installed.",
        ),
    ]
    connect_timeout: Annotated[
        float,
        Setting(
            variables=("STRATEGY_CONNECT_TIMEOUT",),
            metavar="SECONDS",
            default="60",
            read=values.seconds,
            help="Seconds to wait for the proxy to come up.",
        ),
    ]
    ops_port: Annotated[
        int | None,
        Setting(
            variables=("OPS_PORT",),
            metavar="PORT",
            read=values.port,
            help="Serve /livez, /readyz, /metrics and /status there; 0 picks a free port.",
        ),
    ]
    ops_host: Annotated[
        str,
        Setting(
            variables=("OPS_HOST",),
            metavar="ADDRESS",
            default="127.0.0.1",
            help="Address of the ops port; 0.0.0.0 opens it to other machines.",
        ),
    ]
    traces: Annotated[
        Literal["off", "otlp", "console"],
        Setting(
            variables=("STRATEGY_TRACES",),
            default="off",
            help="Where traces of events, hooks and orders go; otlp sends them to "
            "OTEL_EXPORTER_OTLP_ENDPOINT.",
        ),
    ]
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Setting(
            variables=("LOG_LEVEL",),
            default="info",
            help="Show log lines from this level on.",
        ),
    ]
    log_format: Annotated[
        Literal["auto", "console", "json"],
        Setting(
            variables=("LOG_FORMAT",),
            default="auto",
            help="Format of the log on stderr; auto is console on a terminal, otherwise json.",
        ),
    ]
    origins: dict[str, str]
    warnings: list[str]

    @property
    def limits(self) -> Limits:
        """The risk limits."""
        return Limits(**{name: getattr(self, name) for name in Limits.__struct_fields__})

    @property
    def rounding(self) -> Rounding:
        """The rounding of orders."""
        return Rounding(lot_size=self.lot_size, tick_size=self.tick_size)

    def secrets(self) -> list[str]:
        """Return what must not be shown: the key, and passwords in URLs."""
        passwords = [urlsplit(url).password for url in (self.ws_url, self.rest_url)]
        return [text for text in (self.api_key, *passwords) if text]

    def rows(self) -> list[tuple[str, str, str]]:
        """Return name, value and origin of each setting, with secrets masked."""
        found = []
        for setting in SETTINGS:
            text = _shown(getattr(self, setting.name))
            if setting.is_secret and text:
                text = "********"
            name = setting.name.replace("_", "-")
            found.append((name, text or "-", self.origins[setting.name]))
        return found


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        return in_digits(value)
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


SETTINGS = settings_of(Settings)
"""All settings, in the order in which they are shown."""
