"""Names of projects, and the names derived from them."""

import re
from importlib.metadata import packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from strategy_runtime.errors import ConfigError
from strategy_runtime.scaffold import names
from strategy_runtime.scaffold.names import check_name


@pytest.mark.parametrize(
    ("text", "module", "class_name"),
    [
        ("my-bot", "my_bot", "MyBot"),
        ("momentum2", "momentum2", "Momentum2"),
        ("btc-5m-trend", "btc_5m_trend", "Btc5mTrend"),
    ],
)
def test_a_name_gives_module_and_class(text: str, module: str, class_name: str) -> None:
    name = check_name(text)
    assert (name.name, name.module, name.class_name) == (text, module, class_name)
    assert name.target == f"{module}:{class_name}"


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("MyBot", "my-bot"),
        ("my_bot", "my-bot"),
        ("My  Bot!", "my-bot"),
        ("../my-bot", "my-bot"),
        ("-x", "x"),
        ("my-bot-", "my-bot"),
        ("2fast", "my-bot"),
        ("", "my-bot"),
        ("bötchen", "botchen"),
        ("Ünited—株 Bot", "united-bot"),
    ],
)
def test_another_form_is_refused_with_one_that_would_do(text: str, better: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        check_name(text)
    assert str(refusal.value) == (
        f"{text!r} cannot be a project's name: write lower-case letters and digits, words joined "
        f"by hyphens, such as {better}"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("class", "class is a word of the Python language"),
        ("json", "json.py would hide a module of Python's own"),
        ("test", "test.py would hide a module of Python's own"),
        ("none", "None is a word of the Python language"),
        ("true", "True is a word of the Python language"),
        ("null", "null is a word of YAML, which its manifests are written in"),
        ("y", "y is a word of YAML, which its manifests are written in"),
        ("tests", "tests/ is the project's folder of tests"),
        ("data", "data/ is the project's folder of prices"),
        ("k8s", "k8s/ is the project's folder of manifests"),
        ("results", "results/ is the folder that a backtest writes to"),
        ("state", "state/ is the folder that a live run in a container writes to"),
        ("conftest", "pytest would take conftest.py for its own settings"),
        ("proxy", "the compose file has a service proxy already"),
        ("strategy", "strategy_runtime has a class Strategy already"),
        ("order-event", "strategy_runtime has a class OrderEvent already"),
        ("pytest", "a package that the project installs is called pytest"),
        ("strategy-runtime", "a package that the project installs is called strategy-runtime"),
        ("hypothesis", "hypothesis.py would hide the installed package hypothesis"),
    ],
)
def test_a_name_that_is_taken_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        check_name(text)
    assert problem in str(refusal.value)
    assert str(refusal.value).endswith(f"; try {text}-bot")


def installed_by_a_project() -> set[str]:
    """Return the packages of the runtime, its extras and a project's tools, and their modules."""
    found: set[str] = set()
    waiting = [("strategy-runtime", "all"), ("strategy-runtime", "testing"), ("mypy", "")]
    seen = set(waiting)
    while waiting:
        package, extra = waiting.pop()
        found.add(package)
        for needed in map(Requirement, requires(package) or []):
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                name = canonicalize_name(needed.name)
                more = {(name, each) for each in ("", *needed.extras)} - seen
                seen |= more
                waiting += more
    modules = {
        module.replace("_", "-")
        for module, owners in packages_distributions().items()
        if found & set(map(canonicalize_name, owners))
    }
    return {name for name in found | modules if re.fullmatch("[a-z][a-z0-9-]*", name)}


def test_no_project_has_the_name_of_what_it_will_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "find_spec", lambda module: None)
    wanted = installed_by_a_project()
    assert {"pytest", "pytest-asyncio", "typing-extensions", "dotenv", "yarl"} <= wanted
    for name in sorted(wanted):
        with pytest.raises(
            ConfigError, match=f"package that the project installs is called {name}"
        ):
            check_name(name)


@pytest.mark.parametrize("text", ["y", "yes", "on", "true", "n", "no", "off", "false", "null"])
def test_a_name_is_never_a_value_of_yaml(text: str) -> None:
    with pytest.raises(ConfigError, match=rf"is a word of (YAML|the Python).*; try {text}-bot"):
        check_name(text)


def test_a_name_has_to_fit_into_those_of_pods() -> None:
    assert check_name("a" * 40).name == "a" * 40
    with pytest.raises(ConfigError, match=r"is 41 characters long.* 40 are the most"):
        check_name("a" * 41)
