"""The settings of a run against a proxy, and where each one came from.

Each is taken from the command line, else the environment, else the file given with `--env-file`,
else its default. A variable that is set but empty counts as not set: compose files pass such ones.
A secret may also be given as `NAME_FILE`, the path of a file that holds it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from strategy_runtime.errors import ConfigError, SubscriptionError, TimeframeError
from strategy_runtime.protocol.subscriptions import Subscriptions, parse_subscriptions
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.suggestions import did_you_mean

__all__ = [
    "SETTINGS",
    "Environment",
    "Setting",
    "Settings",
    "find_secret",
    "read_environment",
    "resolve",
]

ModeChoice = Literal["auto", "backtest", "live"]
OnErrorChoice = Literal["auto", "stop", "continue"]
OnExitChoice = Literal["keep", "cancel", "flatten"]
LoopChoice = Literal["auto", "asyncio", "uvloop"]
TracesChoice = Literal["off", "otlp", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "console", "json"]

_DEFAULT = "default"


class Setting(Struct, frozen=True, kw_only=True):
    """One setting.

    Attributes:
        name: Its field in `Settings`.
        flag: Its option.
        variables: Environment variables, the first that is set wins.
        metavar: What stands for its value in a help text.
        default: As it would be written.
        choices: All there are, where they are few.
        is_secret: Never shown.
    """

    name: str
    flag: str
    variables: tuple[str, ...]
    metavar: str
    default: str
    help: str
    choices: tuple[str, ...] = ()
    is_secret: bool = False


SETTINGS = (
    Setting(
        name="ws_url",
        flag="--ws-url",
        variables=("PROXY_WS_URL", "ENGINE_WS_URL"),
        metavar="URL",
        default="ws://localhost:8082",
        help="Where the proxy's event stream is.",
    ),
    Setting(
        name="rest_url",
        flag="--rest-url",
        variables=("PROXY_REST_URL", "ENGINE_REST_URL"),
        metavar="URL",
        default="http://localhost:8080",
        help="Where the proxy takes orders.",
    ),
    Setting(
        name="api_key",
        flag="--token-file",
        variables=(
            "PROXY_API_KEY",
            "TEKTII_TRADING_GATEWAY_API_KEY",
            "TRADING_GATEWAY_API_KEY",
        ),
        metavar="FILE",
        default="",
        help="File that holds the proxy's API key, where it wants one.",
        is_secret=True,
    ),
    Setting(
        name="subscriptions",
        flag="--subscriptions",
        variables=("SUBSCRIPTIONS",),
        metavar="LIST",
        default="",
        help="What to receive, such as S:AAPL:candle,C:BTCUSD:quote; without it all there is.",
    ),
    Setting(
        name="timeframe",
        flag="--timeframe",
        variables=("TIMEFRAME",),
        metavar="TF",
        default="1m",
        help="Timeframe of candles that do not say theirs.",
    ),
    Setting(
        name="mode",
        flag="--mode",
        variables=("STRATEGY_MODE",),
        metavar="|".join(get_args(ModeChoice)),
        default="auto",
        help="What stands behind the proxy; auto asks it.",
        choices=get_args(ModeChoice),
    ),
    Setting(
        name="on_error",
        flag="--on-error",
        variables=("STRATEGY_ON_ERROR",),
        metavar="|".join(get_args(OnErrorChoice)),
        default="auto",
        help="What a failing hook does; auto stops a backtest, and lets a live run go on until "
        "there are 5 failures in a minute or 3 in a row.",
        choices=get_args(OnErrorChoice),
    ),
    Setting(
        name="on_exit",
        flag="--on-exit",
        variables=("STRATEGY_ON_EXIT",),
        metavar="|".join(get_args(OnExitChoice)),
        default="keep",
        help="What a live run leaves behind: everything, no open orders, or no positions either.",
        choices=get_args(OnExitChoice),
    ),
    Setting(
        name="state_dir",
        flag="--state-dir",
        variables=("STATE_DIR",),
        metavar="DIR",
        default="",
        help="Where a live run keeps its lock, its journal of orders and the strategy's state; "
        "none keeps nothing. Without it a folder in $XDG_STATE_HOME or ~/.local/state.",
    ),
    Setting(
        name="loop",
        flag="--loop",
        variables=("STRATEGY_LOOP",),
        metavar="|".join(get_args(LoopChoice)),
        default="auto",
        help="Event loop; auto takes uvloop where it is installed.",
        choices=get_args(LoopChoice),
    ),
    Setting(
        name="connect_timeout",
        flag="--connect-timeout",
        variables=("STRATEGY_CONNECT_TIMEOUT",),
        metavar="SECONDS",
        default="60",
        help="Seconds to wait for the proxy to come up.",
    ),
    Setting(
        name="ops_port",
        flag="--ops-port",
        variables=("OPS_PORT",),
        metavar="PORT",
        default="",
        help="Serve /livez, /readyz, /metrics and /status there; 0 picks a free port.",
    ),
    Setting(
        name="ops_host",
        flag="--ops-host",
        variables=("OPS_HOST",),
        metavar="ADDRESS",
        default="127.0.0.1",
        help="Address of the ops port; 0.0.0.0 is all.",
    ),
    Setting(
        name="traces",
        flag="--traces",
        variables=("STRATEGY_TRACES",),
        metavar="|".join(get_args(TracesChoice)),
        default="off",
        help="Where spans of events, hooks and orders go; otlp asks OTEL_EXPORTER_OTLP_ENDPOINT.",
        choices=get_args(TracesChoice),
    ),
    Setting(
        name="log_level",
        flag="--log-level",
        variables=("LOG_LEVEL",),
        metavar="|".join(get_args(LogLevel)),
        default="info",
        help="Least important log lines to show.",
        choices=get_args(LogLevel),
    ),
    Setting(
        name="log_format",
        flag="--log-format",
        variables=("LOG_FORMAT",),
        metavar="|".join(get_args(LogFormat)),
        default="auto",
        help="Form of the log on stderr; auto is console on a terminal, else json.",
        choices=get_args(LogFormat),
    ),
)

_GATEWAY_VARIABLES = ("GATEWAY_URL", "TEKTII_TRADING_GATEWAY_URL", "TRADING_GATEWAY_URL")
_FILE = "_FILE"
_OURS = ("PROXY_", "STRATEGY_")
# Kubernetes and container links set such variables for every service called `proxy`.
_SERVICE_LINK = re.compile(
    r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_(PORT|PROTO|ADDR))?)?)$"
)


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of one run; `SETTINGS` says what they mean.

    Attributes:
        origins: Where each came from, by field: an option, a variable, or `default`.
        warnings: What looks like a slip, for people.
    """

    ws_url: str
    rest_url: str
    api_key: str | None
    subscriptions: Subscriptions
    timeframe: str
    mode: ModeChoice
    on_error: OnErrorChoice
    on_exit: OnExitChoice
    state_dir: str
    loop: LoopChoice
    connect_timeout: float
    ops_port: int | None
    ops_host: str
    traces: TracesChoice
    log_level: LogLevel
    log_format: LogFormat
    origins: dict[str, str]
    warnings: list[str]

    def secrets(self) -> list[str]:
        """What must not be shown: the key, and passwords in URLs."""
        passwords = [urlsplit(url).password for url in (self.ws_url, self.rest_url)]
        return [text for text in (self.api_key, *passwords) if text]

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, value and origin of each, secrets masked."""
        found = []
        for setting in SETTINGS:
            value = getattr(self, setting.name)
            text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
            if setting.is_secret and text:
                text = "********"
            name = setting.name.replace("_", "-")
            found.append((name, text or "-", self.origins[setting.name]))
        return found


class Environment(Struct, frozen=True):
    """Variables that are set and not empty, from the environment and a file.

    Attributes:
        values: By name.
        origins: `environment`, or the path of the file.
    """

    values: dict[str, str]
    origins: dict[str, str]

    def origin(self, variable: str) -> str:
        """How to name a variable: with its file, where it is from one."""
        file = self.origins.get(variable)
        return f"{variable} in {file}" if file else variable


def read_environment(environ: Mapping[str, str], env_file: Path | None = None) -> Environment:
    """The environment, and behind it a `.env` file.

    Raises:
        ConfigError: The file cannot be read, or python-dotenv is not installed.
    """
    values = {name: text for name, text in environ.items() if text}
    origins: dict[str, str] = {}
    if env_file is not None:
        for name, text in _read_env_file(env_file).items():
            if text and name not in values:
                values[name] = text
                origins[name] = str(env_file)
    return Environment(values, origins)


def resolve(flags: Mapping[str, str | None], environment: Environment) -> Settings:
    """Put the settings together.

    Args:
        flags: Values from the command line by field; None where an option was not given. That of
            `api_key` is the path of a file.

    Raises:
        ConfigError: A value that cannot be one; names the option or the variable.
    """
    given = {name: text for name, text in flags.items() if text is not None}
    texts: dict[str, str] = {}
    origins: dict[str, str] = {}
    addresses = _addresses(environment)
    for setting in SETTINGS:
        name = setting.name
        if setting.is_secret:
            texts[name], origins[name] = find_secret(
                setting.flag, setting.variables, given.get(name), environment
            )
        elif name in given:
            texts[name], origins[name] = given[name], setting.flag
        elif name in addresses:
            texts[name], origins[name] = addresses[name]
        else:
            texts[name], origins[name] = _from_variables(setting, environment)
        if setting.choices:
            texts[name] = texts[name].lower()
            if texts[name] not in setting.choices:
                raise ConfigError(
                    f"{origins[name]}: {texts[name]!r} is none of {', '.join(setting.choices)}"
                    f"{did_you_mean(texts[name], setting.choices)}"
                )
    _check_url(texts["ws_url"], origins["ws_url"], ("ws", "wss"), "ws://localhost:8082")
    _check_url(texts["rest_url"], origins["rest_url"], ("http", "https"), "http://localhost:8080")
    for name in ("ws_url", "rest_url"):
        if texts["api_key"] and urlsplit(texts[name]).username is not None:
            raise ConfigError(
                f"{origins[name]} has a user name in it, and {origins['api_key']} a key; a proxy "
                "can be shown only one of them"
            )
    return Settings(
        ws_url=texts["ws_url"],
        rest_url=texts["rest_url"],
        api_key=texts["api_key"] or None,
        subscriptions=_subscriptions(texts["subscriptions"], origins["subscriptions"]),
        timeframe=_timeframe(texts["timeframe"], origins["timeframe"]),
        mode=texts["mode"],  # type: ignore[arg-type]  # checked above
        on_error=texts["on_error"],  # type: ignore[arg-type]
        on_exit=texts["on_exit"],  # type: ignore[arg-type]
        state_dir=texts["state_dir"],
        loop=texts["loop"],  # type: ignore[arg-type]
        connect_timeout=_seconds(texts["connect_timeout"], origins["connect_timeout"]),
        ops_port=_port(texts["ops_port"], origins["ops_port"]),
        ops_host=texts["ops_host"],
        traces=texts["traces"],  # type: ignore[arg-type]
        log_level=texts["log_level"],  # type: ignore[arg-type]
        log_format=texts["log_format"],  # type: ignore[arg-type]
        origins=origins,
        warnings=_strangers(environment),
    )


def _read_env_file(path: Path) -> dict[str, str | None]:
    try:
        from dotenv import dotenv_values
    except ImportError:
        raise ConfigError(
            "--env-file needs python-dotenv: pip install 'strategy-runtime[dotenv]'"
        ) from None
    try:
        with path.open(encoding="utf-8") as stream:
            return dotenv_values(stream=stream)
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"--env-file {path} cannot be read: {said}") from None


def _from_variables(setting: Setting, environment: Environment) -> tuple[str, str]:
    for variable in setting.variables:
        if variable in environment.values:
            return environment.values[variable].strip(), environment.origin(variable)
    return setting.default, _DEFAULT


def _addresses(environment: Environment) -> dict[str, tuple[str, str]]:
    """Both URLs from the first pair of variables of which one is set (protocol a.3)."""
    values = environment.values
    pair = [setting for setting in SETTINGS if setting.name in ("ws_url", "rest_url")]
    for rank in range(2):
        if any(setting.variables[rank] in values for setting in pair):
            return {
                setting.name: (values[variable].strip(), environment.origin(variable))
                if (variable := setting.variables[rank]) in values
                else (setting.default, _DEFAULT)
                for setting in pair
            }
    for variable in _GATEWAY_VARIABLES:
        if variable in values:
            origin = environment.origin(variable)
            ws_url, rest_url = _gateway_urls(values[variable].strip(), origin)
            return {"ws_url": (ws_url, origin), "rest_url": (rest_url, origin)}
    return {}


def _gateway_urls(text: str, origin: str) -> tuple[str, str]:
    _check_url(text, origin, ("http", "https", "ws", "wss"), "http://localhost:8080")
    parts = urlsplit(text)
    path = parts.path.rstrip("/").removesuffix("/v1")
    safe = "s" if parts.scheme in ("https", "wss") else ""
    return (
        urlunsplit((f"ws{safe}", parts.netloc, f"{path}/v1/ws", "", "")),
        urlunsplit((f"http{safe}", parts.netloc, f"{path}/v1", "", "")),
    )


def find_secret(
    flag: str, variables: tuple[str, ...], path: str | None, environment: Environment
) -> tuple[str, str]:
    """A secret and where it comes from: a file, a variable, or a file that a variable names.

    Args:
        flag: The option that names the file.
        variables: The first that is set wins; each also counts with `_FILE` behind it.
        path: Of the file, where the option was given.

    Returns:
        An empty text where there is none.

    Raises:
        ConfigError: A variable is set in both ways, or the file cannot be read or is empty.
    """
    if path is not None:
        return _read_secret(path, flag), flag
    values = environment.values
    for variable in variables:
        in_file = variable + _FILE
        if variable in values and in_file in values:
            raise ConfigError(f"{variable} and {in_file} are both set; remove one of them")
        if variable in values:
            return values[variable].strip(), environment.origin(variable)
        if in_file in values:
            return _read_secret(values[in_file], in_file), environment.origin(in_file)
    return "", _DEFAULT


def _read_secret(path: str, origin: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{origin}: cannot read {path}: {said}") from None
    if not text:
        raise ConfigError(f"{origin}: {path} is empty")
    return text


def _check_url(text: str, origin: str, schemes: tuple[str, ...], example: str) -> None:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{origin}: {text!r} is not a URL: {error}") from None
    if parts.scheme not in schemes or not host:
        raise ConfigError(
            f"{origin}: {text!r} is not a URL that begins with {' or '.join(schemes)}, such as "
            f"{example}"
        )


def _subscriptions(text: str, origin: str) -> Subscriptions:
    try:
        return parse_subscriptions(text)
    except SubscriptionError as error:
        raise SubscriptionError(str(error).replace("SUBSCRIPTIONS", origin, 1)) from None


def _timeframe(text: str, origin: str) -> str:
    try:
        return parse_timeframe(text).text
    except TimeframeError as error:
        raise TimeframeError(f"{origin}: {error}") from None


def _seconds(text: str, origin: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ConfigError(f"{origin}: {text!r} is not a number of seconds")
    return number


def _port(text: str, origin: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) < 2**16):
        raise ConfigError(f"{origin}: {text!r} is not a port, a number below {2**16}")
    return int(text)


def _strangers(environment: Environment) -> list[str]:
    """Variables that look like ours and are not read by anybody."""
    known = {variable for setting in SETTINGS for variable in setting.variables}
    known |= {v + _FILE for s in SETTINGS if s.is_secret for v in s.variables}
    return [
        f"{environment.origin(variable)} is not a setting{did_you_mean(variable, known)}"
        for variable in sorted(environment.values)
        if variable.startswith(_OURS)
        and variable not in known
        and not _SERVICE_LINK.search(variable)
    ]
