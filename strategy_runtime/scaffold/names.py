"""Names of projects, and the names derived from them."""

import keyword
import re
import sys
from importlib.util import find_spec
from unicodedata import combining, normalize

from msgspec import Struct

import strategy_runtime
from strategy_runtime.errors import ConfigError

__all__ = ["ProjectName", "check_name"]

_FORM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# The name becomes that of a container, a pod and a volume; Kubernetes adds to it and allows 63.
_LONGEST = 40

# Words that YAML reads as a boolean or null if they are not quoted.
_YAML_WORDS = frozenset("false n no null off on true y yes".split())

_OWN = {
    "conftest": "pytest would take conftest.py for its own settings",
    "data": "data/ is the project's folder of prices",
    "k8s": "k8s/ is the project's folder of manifests",
    "proxy": "the compose file has a service proxy already",
    "results": "results/ is the folder that a backtest writes to",
    "state": "state/ is the folder that a live run in a container writes to",
    "tests": "tests/ is the project's folder of tests",
}
"""Names that a project needs itself, and why."""

# Packages and modules of the runtime, its extras and the tools of a project. They may not be
# installed yet when the project is made.
_INSTALLED = frozenset(
    """
    aiohappyeyeballs aiohttp aiosignal ast-serialize attr attrs backports backports-zstd click
    colorama dotenv frozenlist hatchling idna iniconfig librt msgspec multidict mypy mypy-extensions
    mypyc packaging pathspec pluggy prometheus-client propcache py pyarrow pygments pytest
    pytest-aiohttp pytest-asyncio python-dotenv ruff strategy-runtime structlog typing-extensions
    tzdata uvloop yarl
    """.split()
)


class ProjectName(Struct, frozen=True):
    """The name of a project, in all spellings that it needs.

    Attributes:
        name: For the folder, the image and the pod: `my-bot`.
        module: For the Python module: `my_bot`.
        class_name: For the strategy: `MyBot`.
    """

    name: str
    module: str
    class_name: str

    @property
    def target(self) -> str:
        """The strategy as an argument of the commands: `my_bot:MyBot`."""
        return f"{self.module}:{self.class_name}"


def check_name(text: str) -> ProjectName:
    """Check the name of a project, and return its spellings.

    Raises:
        ConfigError: The name cannot be used; says why and, if possible, suggests another.
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
    plain = "".join(each for each in normalize("NFKD", text) if not combining(each))  # no accents
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", plain).lower())
    better = "-".join(words)
    return f", such as {better}" if _FORM.fullmatch(better) else ", such as my-bot"


def _problem(name: ProjectName) -> str | None:
    """Return why the name is already taken, or None."""
    module = name.module
    for word in (module, name.class_name):
        if keyword.iskeyword(word):
            return f"{word} is a word of the Python language"
    if name.name in _YAML_WORDS:
        return f"{name.name} is a word of YAML, which its manifests are written in"
    if name.name in _OWN:
        return _OWN[name.name]
    if name.name in _INSTALLED:
        return f"a package that the project installs is called {name.name}"
    if module in sys.stdlib_module_names or module == "test":
        return f"{module}.py would hide a module of Python's own"
    if name.class_name in strategy_runtime.__all__:
        return f"strategy_runtime has a class {name.class_name} already"
    if find_spec(module) is not None:
        return f"{module}.py would hide the installed package {module}"
    return None
