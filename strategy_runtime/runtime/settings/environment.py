"""Variables from the environment, from a `.env` file, and from files with secrets."""

from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path

from msgspec import Struct

from strategy_runtime.errors import ConfigError, reason_of
from strategy_runtime.runtime.settings.setting import Setting

__all__ = ["DEFAULT", "FILE", "Environment", "find_secret", "find_text", "read_environment"]

DEFAULT = "default"
"""The origin of a setting that was not given."""

FILE = "_FILE"
"""Suffix of variables that have the path of a file with the secret."""

_ENCODING = "utf-8-sig"
"""Editors on Windows start a file with a byte-order mark."""


class Environment(Struct, frozen=True):
    """Variables that are set and not empty, from the environment and a file.

    Attributes:
        values: Values by name.
        origins: Path of the file by name, for the variables that come from it.
    """

    values: dict[str, str]
    origins: dict[str, str]

    def origin(self, variable: str) -> str:
        """Return the name of a variable, with its file if it comes from one."""
        file = self.origins.get(variable)
        return f"{variable} in {file}" if file else variable

    def first_of(self, variables: Iterable[str]) -> str | None:
        """Return the first of several names that is set; the environment precedes the file."""
        found = [each for each in variables if each in self.values]
        return min(found, key=self.origins.__contains__, default=None)


def read_environment(environ: Mapping[str, str], env_file: Path | None = None) -> Environment:
    """Read the environment, and a `.env` file for variables that it does not set.

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
        text = path.read_text(encoding=_ENCODING)
    except (OSError, UnicodeDecodeError) as error:
        said = reason_of(error)
        raise ConfigError(f"--env-file {path} cannot be read: {said}") from None
    for found in parse_stream(StringIO(text)):
        is_name_alone = found.key is not None and found.value is None
        if found.error or is_name_alone:
            said = (
                "there is only a name; write NAME=VALUE, or remove the line"
                if is_name_alone
                else "this is not NAME=VALUE, or a quotation mark is missing"
            )
            # A binding of the parser includes the blank lines before it.
            written = found.original.string
            line = found.original.line + written[: -len(written.lstrip())].count("\n")
            # The name is not shown: it may be part of a key that was split into lines.
            raise ConfigError(f"--env-file {path} line {line}: {said}")
    return dotenv_values(stream=StringIO(text))


def find_text(setting: Setting, environment: Environment) -> tuple[str, str]:
    """Return text and origin of a setting: from a variable, otherwise the default."""
    variable = environment.first_of(setting.variables)
    if variable is None:
        return setting.default, DEFAULT
    return environment.values[variable].strip(), environment.origin(variable)


def find_secret(
    flag: str, variables: tuple[str, ...], path: str | None, environment: Environment
) -> tuple[str, str]:
    """Return text and origin of a secret: from a file, a variable, or a file that one names.

    The text is empty if there is no secret.

    Args:
        flag: The option that names the file.
        variables: The first that is set wins; each may also have the suffix `_FILE`.
        path: Path of the file, if the option was given.

    Raises:
        ConfigError: A variable is set with and without the suffix in the same place, the file
            cannot be read or is empty, or the secret is not one line of characters that a header
            may have.
    """
    if path is not None:
        return _read_secret(path, flag), flag
    chosen = environment.first_of(name for each in variables for name in (each, each + FILE))
    if chosen is None:
        return "", DEFAULT
    text, origin = environment.values[chosen], environment.origin(chosen)
    if chosen not in variables:
        return _read_secret(text, origin), origin
    in_file = chosen + FILE
    if environment.first_of((in_file, chosen)) == in_file:
        raise ConfigError(
            f"{origin} and {environment.origin(in_file)} are both set; remove one of them"
        )
    return _one_line(text.strip(), origin), origin


def _read_secret(path: str, origin: str) -> str:
    try:
        text = Path(path).read_text(encoding=_ENCODING).strip()
    except (OSError, UnicodeDecodeError) as error:
        said = reason_of(error) if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{origin}: cannot read {path}: {said}") from None
    if not text:
        raise ConfigError(f"{origin}: {path} is empty")
    return _one_line(text, f"{origin}: {path}")


def _one_line(secret: str, place: str) -> str:
    if len(secret.splitlines()) > 1:
        raise ConfigError(f"{place} has more than one line; write the key alone")
    for character in secret:
        if not character.isprintable():
            raise ConfigError(
                f"{place} has a character that no key can have, U+{ord(character):04X}; write the "
                "key alone"
            )
    return secret
