"""Parameters."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal

import pytest
from attrs import define
from msgspec import Meta, Struct

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


def test_a_default_is_converted_like_a_value() -> None:
    class Loose(Strategy):
        stake: Decimal = 0.4  # type: ignore[assignment]
        fast: int = "10"  # type: ignore[assignment]
        width: float = 2

    loose = Loose()
    assert (loose.stake, loose.fast, loose.width) == (Decimal("0.4"), 10, 2.0)
    assert [*map(type, (loose.stake, loose.fast, loose.width))] == [Decimal, int, float]


def test_a_class_of_attrs_is_refused() -> None:
    @define
    class Defined(Strategy):
        fast: int = 10

    with pytest.raises(TypeError, match=r"^Defined is a class of attrs, .*; remove @define: a"):
        Defined()


def test_a_dataclass_is_refused() -> None:
    @dataclass
    class Decorated(Strategy):
        fast: int = 3

    with pytest.raises(TypeError, match=r"^Decorated is a dataclass, .*; remove @dataclass: an"):
        Decorated(fast=5)

    class Derived(Decorated): ...

    with pytest.raises(TypeError, match=r"^Derived is a dataclass"):
        Derived(fast=5)


def test_every_instance_has_defaults_of_its_own() -> None:
    Rich().names.append("a")
    Rich().weights["a"] = Decimal(1)
    assert (Rich().names, Rich().weights) == ([], {})


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
        ({"fast": 1}, "Tuned.fast = 1: must be a whole number above 1"),
        ({"fast": "many"}, "Tuned.fast = 'many': must be a whole number above 1"),
        ({"stake": "2"}, "Tuned.stake = '2': must be a number above 0 and at most 1"),
        ({"stake": "NaN"}, "Tuned.stake = 'NaN': must be a finite number"),
        ({"active": "yes"}, "Tuned.active = 'yes': must be true or false"),
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
    with pytest.raises(ParameterError, match="PARAM_FATS: Tuned has no parameter 'fats'; did you"):
        Tuned.from_text({}, {"PARAM_FATS": "5"})


def test_the_error_for_a_variable_in_lower_case_says_how_to_write_it() -> None:
    with pytest.raises(ParameterError) as error:
        Tuned.from_text({}, {"PARAM_fast": "5"}, lambda variable: f"{variable} in bot.env")
    assert str(error.value) == "PARAM_fast in bot.env: it is written in capitals, PARAM_FAST"


class Bare(Strategy):
    """Attributes that were meant as parameters, and some that were not."""

    fast = 3
    stake = Decimal("0.1")
    Slow = 30
    lookback = 5
    limit: ClassVar[int] = 3
    _hidden = 1

    def helper(self) -> None: ...


class Barer(Bare):
    fast = 4


@pytest.mark.parametrize(
    ("values", "environ", "message"),
    [
        (
            {"fast": "5"},
            {},
            "Bare.fast is an attribute without an annotation, so no parameter; "
            "write `fast: int = 3`",
        ),
        (
            {"stake": "1"},
            {},
            "Bare.stake is an attribute without an annotation, so no parameter; "
            "write `stake: Decimal = Decimal('0.1')`",
        ),
        (
            {},
            {"PARAM_SLOW": "5"},
            "PARAM_SLOW: Bare.Slow is an attribute without an annotation, so no parameter; "
            "write `Slow: int = 30`",
        ),
        ({"lookback": "9"}, {}, "Bare has no parameter 'lookback'; it has none"),
        ({"limit": "9"}, {}, "Bare has no parameter 'limit'; it has none"),
        ({"_hidden": "9"}, {}, "Bare has no parameter '_hidden'; it has none"),
        ({"helper": "9"}, {}, "Bare has no parameter 'helper'; it has none"),
    ],
)
def test_the_error_for_an_attribute_without_annotation_says_how_to_annotate_it(
    values: dict[str, str], environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ParameterError) as error:
        Bare.from_text(values, environ)
    assert str(error.value) == message


def test_pairs_as_in_backtrader_are_refused() -> None:
    class Ported(Strategy):
        params = (("period", 20), ("stake", 0.5))

    class Paired(Strategy):
        params: tuple[tuple[str, int], ...] = (("period", 20),)

    class Shared(Strategy):
        params: ClassVar = (("period", 20),)

    class Named(Strategy):
        params = {"period": 20}  # noqa: RUF012

    with pytest.raises(ParameterError) as refused:
        Ported()
    assert str(refused.value) == (
        "Ported.params is not read; write an annotated attribute for each parameter, such as "
        "`period: int = 20`"
    )
    assert Paired().params == Shared().params == (("period", 20),)
    assert Named().params == {"period": 20}


def test_such_an_attribute_is_shown_with_the_value_that_the_class_has() -> None:
    with pytest.raises(ParameterError, match=r"^Barer\.fast is .*; write `fast: int = 4`$"):
        Barer.from_text({"fast": "5"}, {})


def test_a_value_of_a_variable_is_refused_with_its_name_unless_it_is_not_wanted() -> None:
    environ = {"PARAM_FAST": "x"}
    with pytest.raises(ParameterError) as error:
        Tuned.from_text({}, environ, lambda variable: f"{variable} in bot.env")
    assert str(error.value) == (
        "PARAM_FAST in bot.env: Tuned.fast = 'x': must be a whole number above 1"
    )
    assert Tuned.from_text({"fast": "5"}, environ).fast == 5


class Way(Enum):
    UP = "up"
    DOWN = "down"


class Pace(Enum):
    SLOW = 30
    FAST = 5


class Rich(Strategy):
    names: list[str] = []  # noqa: RUF012
    pair: tuple[int, str] = (1, "a")
    many: tuple[float, ...] = ()
    weights: dict[str, Decimal] = {}  # noqa: RUF012
    days: Annotated[set[int], Meta(max_length=2)] = set()  # noqa: RUF012
    way: Way = Way.UP
    pace: Pace = Pace.SLOW
    paces: tuple[Pace, ...] = (Pace.SLOW,)
    size: Literal["small", "large"] = "small"
    most: int | None = None
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.5
    free: float = 0.0
    pause: timedelta = timedelta(days=1)
    begin: time = time(10)
    day: date = date(2024, 3, 4)
    moment: datetime = datetime(2024, 3, 4, tzinfo=UTC)
    code: Annotated[str, Meta(min_length=2)] = "ab"
    lot: Annotated[int, Meta(gt=0, multiple_of=5)] = 5


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("names", '["a", "b"]', ["a", "b"]),
        ("names", "[]", []),
        ("pair", '[2, "b"]', (2, "b")),
        ("many", "[1, 2.5]", (1.0, 2.5)),
        ("weights", '{"a": 0.5}', {"a": Decimal("0.5")}),
        ("days", " [1, 2, 1]", {1, 2}),
        ("way", "down", Way.DOWN),
        ("pace", "5", Pace.FAST),
        ("size", "large", "large"),
        ("most", "null", None),
        ("most", "3", 3),
        ("pause", "PT4H", timedelta(hours=4)),
        ("code", "[x", "[x"),
    ],
)
def test_texts_of_all_kinds(name: str, text: str, value: object) -> None:
    assert getattr(Rich.from_text({name: text}, {}), name) == value


def test_members_of_an_enum_of_numbers_are_taken() -> None:
    given: Any = [Pace.FAST, 30]
    rich = Rich(pace=Pace.FAST, paces=given, way=Way.DOWN)
    assert (rich.pace, rich.paces, rich.way) == (Pace.FAST, (Pace.FAST, Pace.SLOW), Way.DOWN)
    with pytest.raises(ParameterError, match=r"^Rich.pace = <Way.UP: 'up'>: must be one of 30, 5$"):
        Rich(pace=Way.UP)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("names", "a,b", 'a list such as ["a", "b"]'),
        (
            "names",
            "[a,b]",
            'a list such as ["a", "b"] (JSON is malformed: invalid character (byte 1))',
        ),
        ("names", "[1]", 'a list such as ["a", "b"] (Expected `str`, got `int` - at `$[0]`)'),
        ("pair", "[1]", 'a list such as [5, "a"]'),
        ("many", "1", "a list such as [0.5, 1.5]"),
        ("weights", "a", 'an object such as {"a": 0.5}'),
        ("days", "[1, 2, 3]", "a list such as [5, 20] at most 2 long"),
        ("way", "left", "one of up, down"),
        ("size", "huge", "one of large, small"),
        ("most", "x", "a whole number or null"),
        ("share", "1", "a number at least 0 and below 1"),
        ("pause", "1d", "a length of time such as P1D for a day, PT4H or PT90S"),
        ("begin", "10:00", "a time of day such as 14:30:00"),
        ("day", "4.3.2024", "a date such as 2024-03-04"),
        ("moment", "2024-03-04", "a time such as 2024-03-04T14:30:00Z"),
        ("code", "x", "a text at least 2 long"),
        ("lot", "7", "a whole number above 0 and divisible by 5"),
    ],
)
def test_the_error_for_a_value_says_what_it_must_be(name: str, text: str, rule: str) -> None:
    with pytest.raises(ParameterError) as error:
        Rich.from_text({name: text}, {})
    assert str(error.value) == f"Rich.{name} = {text!r}: must be {rule}"


class Rule(Struct):
    share: Decimal = Decimal(1)
    inner: "dict[str, Rule]" = {}


class Ruled(Strategy):
    rule: Rule = Rule()
    rules: list[Rule] = []  # noqa: RUF012


def test_a_struct_is_written_as_an_object() -> None:
    ruled = Ruled.from_text({"rule": '{"inner": {"a": {"share": "0.5"}}}'}, {})
    assert ruled.rule == Rule(inner={"a": Rule(Decimal("0.5"))})


@pytest.mark.parametrize(
    "given",
    [
        {"rule": '{"shar": "0.5"}'},
        {"rule": {"inner": {"a": {"shar": "0.5"}}}},
        {"rules": '[{}, {"shar": "0.5"}]'},
    ],
)
def test_a_misspelt_field_of_a_struct_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="Rule has no field 'shar'; did you mean 'share'"):
        Ruled(**given)


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity"])
def test_numbers_are_finite(text: str) -> None:
    with pytest.raises(ParameterError, match="must be a finite number"):
        Rich.from_text({"free": text}, {})


def test_a_text_is_one_that_results_can_hold() -> None:
    # Python decodes invalid UTF-8 of the command line to lone surrogates.
    with pytest.raises(ParameterError) as refusal:
        Rich.from_text({"names": '["B\udcf6rse"]'}, {})
    assert str(refusal.value) == """Rich.names = '["B\\udcf6rse"]': must be a text in UTF-8"""


class Forgetful(Tuned):
    def __init__(self, **parameters: Any) -> None:
        super().__init__()


class Silent(Tuned):
    def __init__(self, **parameters: Any) -> None:
        self.fast = 3


@pytest.mark.parametrize("kind", [Forgetful, Silent])
def test_a_constructor_that_drops_parameters_is_an_error(kind: type[Strategy]) -> None:
    kind.from_text({}, {})
    with pytest.raises(ParameterError) as error:
        kind.from_text({}, {"PARAM_FAST": "5"})
    assert str(error.value) == (
        f"{kind.__name__}.__init__ does not pass on fast; call super().__init__(**parameters) in it"
    )


def test_type_checkers_know_names_and_types_of_parameters() -> None:
    """If a line were no error to a checker, the checker would report its comment as unused."""
    fast: int = Tuned(fast=5).fast
    assert fast == 5
    with pytest.raises(ParameterError):
        Tuned(fats=5)  # type: ignore[call-arg]
    with pytest.raises(ParameterError):
        Tuned(fast="x")  # type: ignore[arg-type]


def test_a_parameter_without_default_has_to_be_given() -> None:
    said = (
        "^Needy.symbol has no default; give it with --set symbol=VALUE or PARAM_SYMBOL, or, if it "
        "is not a parameter, start its name with an underscore$"
    )
    with pytest.raises(ParameterError, match=said):
        Needy()  # type: ignore[call-arg]
    assert Needy(symbol="S:X").symbol == "S:X"


def test_a_default_that_breaks_its_own_rule_is_an_error() -> None:
    class Wrong(Strategy):
        fast: Annotated[int, Meta(gt=1)] = 1

    with pytest.raises(ParameterError, match=r"the default of fast = 1: must be .* above 1$"):
        Wrong()


def test_the_error_for_a_default_of_none_says_how_to_write_its_type() -> None:
    class Vague(Strategy):
        stop: float = None  # type: ignore[assignment]

    with pytest.raises(ParameterError, match=r"stop = None: must be a number; .* `… \| None`$"):
        Vague()


@pytest.mark.parametrize("name", ["buy", "position", "now"])
def test_a_parameter_cannot_take_the_name_of_a_verb_or_view(name: str) -> None:
    kind = type("Shadow", (Strategy,), {"__annotations__": {name: int}, name: 1})
    with pytest.raises(ParameterError, match=rf"^Shadow.{name}: a parameter cannot have this name"):
        kind()


class Foreign:
    """A number, or an array of such, as numpy has them."""

    def __init__(self, value: object) -> None:
        self.value = value

    def tolist(self) -> object:
        return self.value


class Swept(Strategy):
    fast: Annotated[int, Meta(gt=1)] = 2
    stake: Decimal = Decimal(1)
    levels: list[float] = []  # noqa: RUF012
    weights: dict[str, float] = {}  # noqa: RUF012
    span: tuple[int, int] = (0, 1)
    model: Foreign | None = None


def test_numbers_of_other_packages_are_taken_for_what_they_are() -> None:
    given: dict[str, Any] = {
        "fast": Foreign(5),
        "stake": Foreign(0.4),
        "levels": Foreign([0.5, 1.5]),
        "weights": {"A": Foreign(0.3)},
        "span": (Foreign(3), 4),
    }
    assert Swept(**given).parameter_values == {
        "fast": 5,
        "stake": Decimal("0.4"),
        "levels": [0.5, 1.5],
        "weights": {"A": 0.3},
        "span": (3, 4),
        "model": None,
    }
    assert Swept(**{**given, "levels": [Foreign(0.5)]}).levels == [0.5]
    assert Swept(**{**given, "model": (model := Foreign(3))}).model is model
    with pytest.raises(ParameterError, match=r"^Swept.fast = .*: must be a whole number above 1$"):
        Swept(fast=Foreign(1))  # type: ignore[arg-type]


def test_a_setting_of_every_strategy_is_no_parameter() -> None:
    kind = type("Deep", (Strategy,), {"__annotations__": {"lookback": int}, "lookback": 50})
    with pytest.raises(ParameterError, match=r"; write `lookback: ClassVar\[int\] = 50`$"):
        kind()


def test_a_value_may_lie_on_its_bound() -> None:
    class Bounded(Strategy):
        low: Annotated[Decimal, Meta(ge=2)] = Decimal(3)
        high: Annotated[Decimal, Meta(le=9)] = Decimal(3)
        above: Annotated[Decimal, Meta(gt=2)] = Decimal(3)
        below: Annotated[Decimal, Meta(lt=9)] = Decimal(3)

    assert Bounded(low=Decimal(2), high=Decimal(9)).low == 2
    for wrong in ({"above": 2}, {"below": 9}, {"low": 1}, {"high": 10}):
        with pytest.raises(ParameterError):
            Bounded(**{name: Decimal(value) for name, value in wrong.items()})


def test_an_undefined_type_is_an_error() -> None:
    kind = type("Odd", (Strategy,), {"__annotations__": {"slow": int, "fast": "Nope | None"}})
    with pytest.raises(ParameterError, match=r"^Odd.fast: its type is 'Nope', and that name does"):
        kind()


def test_a_type_that_makes_no_sense_is_an_error() -> None:
    class Odd(Strategy):
        what: Annotated[str, Meta(gt=1)] = "x"

    with pytest.raises(ParameterError, match="a parameter cannot have the type"):
        Odd()
