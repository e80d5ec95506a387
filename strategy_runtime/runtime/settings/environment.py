"""Variables: of the environment, of a `.env` file behind it, and of files that hold secrets."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from msgspec import Struct

from strategy_runtime.errors import ConfigError
from strategy_runtime.runtime.settings.setting import Setting

__all__ = ["DEFAULT", "FILE", "Environment", "find_secret", "find_text", "read_environment"]

DEFAULT = "default"
"""The origin of what nobody gave."""

FILE = "_FILE"
"""Behind the name of a secret: the variable holds the path of a file that has it."""


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
        ConfigError: The file or a line of it cannot be read, or python-dotenv is not installed.
    """
    values = {name: text for name, text in environ.items() if text}
    origins: dict[str, str] = {}
    if env_file is not None:
        for name, text in _read_env_file(env_file).items():
            if text and name not in values:
                values[name] = text
                origins[name] = str(env_file)
    return Environment(values, origins)


def _read_env_file(path: Path) -> dict[str, str | None]:
    try:
        from dotenv import dotenv_values
        from dotenv.parser import parse_stream
    except ImportError:
        raise ConfigError(
            "--env-file needs python-dotenv: pip install 'strategy-runtime[dotenv]'"
        ) from None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"--env-file {path} cannot be read: {said}") from None
    for found in parse_stream(StringIO(text)):
        if found.error:
            raise ConfigError(
                f"--env-file {path} line {found.original.line}: this is not NAME=VALUE, or a "
                "quotation mark is missing"
            )
    return dotenv_values(stream=StringIO(text))


def find_text(setting: Setting, environment: Environment) -> tuple[str, str]:
    """The text of a setting and where it comes from: a variable, or else the default."""
    for variable in setting.variables:
        if variable in environment.values:
            return environment.values[variable].strip(), environment.origin(variable)
    return setting.default, DEFAULT


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
        in_file = variable + FILE
        if variable in values and in_file in values:
            raise ConfigError(f"{variable} and {in_file} are both set; remove one of them")
        if variable in values:
            return values[variable].strip(), environment.origin(variable)
        if in_file in values:
            return _read_secret(values[in_file], in_file), environment.origin(in_file)
    return "", DEFAULT


def _read_secret(path: str, origin: str) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{origin}: cannot read {path}: {said}") from None
    if not text:
        raise ConfigError(f"{origin}: {path} is empty")
    return text
