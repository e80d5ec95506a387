"""Contract line 1: parameters."""

from decimal import Decimal
from typing import Annotated, Any, ClassVar

import pytest
from msgspec import Meta

from strategy_runtime import ParameterError, Strategy


class Tuned(Strategy):
    fast: Annotated[int, Meta(gt=1)] = 10
    stake: Annotated[Decimal, Meta(gt=0, le=1)] = Decimal("0.1")
    name: str = "x"
    active: bool = True
    limit: ClassVar[int] = 3
    _hidden: int = 1


class Derived(Tuned):
    slow: int = 30


class Needy(Strategy):
    symbol: str


def test_defaults_are_the_class_attributes() -> None:
    strategy = Tuned()
    assert (strategy.fast, strategy.stake, strategy.active) == (10, Decimal("0.1"), True)


def test_text_is_converted_by_the_annotation() -> None:
    strategy = Tuned.from_text({"fast": "5", "stake": "0.25", "active": "false"}, {})
    assert (strategy.fast, strategy.stake, strategy.active) == (5, Decimal("0.25"), False)


def test_underscore_names_and_class_variables_are_no_parameters() -> None:
    assert [parameter.name for parameter in Tuned.parameters()] == [
        "fast",
        "stake",
        "name",
        "active",
    ]


def test_parameters_are_inherited_base_first() -> None:
    assert [parameter.name for parameter in Derived.parameters()][-1] == "slow"
    assert Derived(fast=3).fast == 3


def test_set_goes_before_environment_before_default() -> None:
    environ = {"PARAM_FAST": "7", "PARAM_NAME": "env", "OTHER": "1"}
    strategy = Tuned.from_text({"fast": "5"}, environ)
    assert (strategy.fast, strategy.name) == (5, "env")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Tuned.from_text({}, {"PARAM_FAST": ""}).fast == 10


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fast": 1}, "Tuned.fast = 1: Expected `int` >= 2"),
        ({"fast": "many"}, "Tuned.fast = 'many': Expected `int`, got `str`"),
        ({"stake": "2"}, "Tuned.stake = '2': Expected `decimal` <= 1"),
        ({"stake": "NaN"}, "Tuned.stake = 'NaN': Expected a finite number"),
        ({"fats": 5}, "Tuned has no parameter 'fats'; did you mean 'fast'?"),
        ({"zzz": 5}, "Tuned has no parameter 'zzz'; it has fast, stake, name, active"),
    ],
)
def test_errors_name_parameter_value_rule_and_near_matches(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError) as error:
        Tuned(**values)
    assert str(error.value) == message


def test_a_misspelt_variable_is_an_error() -> None:
    with pytest.raises(ParameterError, match="PARAM_FATS: Tuned has no such parameter; did you"):
        Tuned.from_text({}, {"PARAM_FATS": "5"})


def test_a_parameter_without_default_has_to_be_given() -> None:
    with pytest.raises(ParameterError, match="give it with --set symbol=VALUE or PARAM_SYMBOL"):
        Needy()  # type: ignore[call-arg]
    assert Needy(symbol="S:X").symbol == "S:X"


def test_a_default_that_breaks_its_own_rule_is_an_error() -> None:
    class Wrong(Strategy):
        fast: Annotated[int, Meta(gt=1)] = 1

    with pytest.raises(ParameterError, match="the default of fast = 1"):
        Wrong()


@pytest.mark.parametrize("name", ["buy", "position", "now", "lookback"])
def test_a_parameter_cannot_take_the_name_of_a_verb_or_view(name: str) -> None:
    kind = type("Shadow", (Strategy,), {"__annotations__": {name: int}, name: 1})
    with pytest.raises(ParameterError, match=rf"^Shadow.{name}: a parameter cannot have this name"):
        kind()


def test_a_type_that_makes_no_sense_is_an_error() -> None:
    class Odd(Strategy):
        what: Annotated[str, Meta(gt=1)] = "x"

    with pytest.raises(ParameterError, match="a parameter cannot have the type"):
        Odd()
