"""Names a project can have, and what is derived from them."""

import keyword
import re
import sys
from importlib.util import find_spec

from msgspec import Struct

import strategy_runtime
from strategy_runtime.errors import ConfigError

__all__ = ["ProjectName", "check_name"]

_FORM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# The name becomes that of a container, a pod and a volume; Kubernetes adds to it and allows 63.
_LONGEST = 40


class ProjectName(Struct, frozen=True):
    """A name, in the spellings that a project needs.

    Attributes:
        name: Of the folder, the image, the pod: `my-bot`.
        module: Of the Python module: `my_bot`.
        class_name: Of the strategy: `MyBot`.
    """

    name: str
    module: str
    class_name: str

    @property
    def target(self) -> str:
        """What to tell the commands: `my_bot:MyBot`."""
        return f"{self.module}:{self.class_name}"


def check_name(text: str) -> ProjectName:
    """The spellings of a project's name.

    Raises:
        ConfigError: It cannot be one; says why and, where possible, which one could.
    """
    if not _FORM.fullmatch(text):
        raise ConfigError(
            f"{text!r} cannot be a project's name: write lower-case letters and digits, words "
            f"joined by hyphens{_instead(text)}"
        )
    if len(text) > _LONGEST:
        raise ConfigError(
            f"{text!r} is {len(text)} characters long; the name is also that of containers and "
            f"pods, so {_LONGEST} are the most"
        )
    name = ProjectName(
        text, text.replace("-", "_"), "".join(word.capitalize() for word in text.split("-"))
    )
    problem = _problem(name)
    if problem is not None:
        raise ConfigError(f"{text!r} cannot be a project's name: {problem}; try {text}-bot")
    return name


def _instead(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text).lower())
    better = "-".join(words)
    return f", such as {better}" if _FORM.fullmatch(better) else ", such as my-bot"


def _problem(name: ProjectName) -> str | None:
    """Why Python or this package needs the name for something else, or None."""
    module = name.module
    if keyword.iskeyword(module):
        return f"{module} is a word of the Python language"
    if module in sys.stdlib_module_names or module in ("test", "tests"):
        return f"{module}.py would hide a module of Python's own"
    if name.class_name in strategy_runtime.__all__:
        return f"strategy_runtime has a {name.class_name} already"
    if find_spec(module) is not None:
        return f"{module}.py would hide the installed package {module}"
    return None
