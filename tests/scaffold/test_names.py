"""What a project may be called, and what becomes of the name."""

import pytest

from strategy_runtime.errors import ConfigError
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
        ("bötchen", "b-tchen"),
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
        ("tests", "tests.py would hide a module of Python's own"),
        ("strategy", "strategy_runtime has a Strategy already"),
        ("order-event", "strategy_runtime has a OrderEvent already"),
        ("strategy-runtime", "strategy_runtime.py would hide the installed package"),
        ("msgspec", "msgspec.py would hide the installed package msgspec"),
    ],
)
def test_a_name_that_is_taken_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        check_name(text)
    assert problem in str(refusal.value)
    assert str(refusal.value).endswith(f"; try {text}-bot")


def test_a_name_has_to_fit_into_those_of_pods() -> None:
    assert check_name("a" * 40).name == "a" * 40
    with pytest.raises(ConfigError, match=r"is 41 characters long.* 40 are the most"):
        check_name("a" * 41)
