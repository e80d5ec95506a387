"""The part of Jinja's syntax that the templates use: values and inclusions.

`{{ name }}` is replaced by a value, `{% include "strategies/" ~ template ~ "/about.md.jinja" %}` by
another file of the templates folder, rendered. Any other tag is an error, so that no template is
rendered in part.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from strategy_runtime.errors import ConfigError

__all__ = ["render"]

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_VALUE = re.compile(r"\{\{ (\w+) \}\}")
_INCLUSION = re.compile(r'\{% include "([\w/.-]*)" ~ (\w+) ~ "([\w/.-]*)" %\}')


def render(text: str, values: Mapping[str, str], folder: Path) -> str:
    """Render a template.

    Args:
        values: Values by name.
        folder: The folder to which the paths of inclusions are relative.

    Raises:
        ConfigError: A tag is not supported, or names an unknown value.
    """

    def replace(match: re.Match[str]) -> str:
        tag = match[0]
        if value := _VALUE.fullmatch(tag):
            return _look_up(values, value[1], tag)
        if inclusion := _INCLUSION.fullmatch(tag):
            before, name, after = inclusion.groups()
            included = folder / f"{before}{_look_up(values, name, tag)}{after}"
            return render(included.read_text("utf-8"), values, folder)
        raise ConfigError(f"a template has the tag {tag!r}, which is no value and no inclusion")

    return _TAG.sub(replace, text)


def _look_up(values: Mapping[str, str], name: str, tag: str) -> str:
    try:
        return values[name]
    except KeyError:
        raise ConfigError(f"a template has the tag {tag!r}, and there is no {name}") from None
