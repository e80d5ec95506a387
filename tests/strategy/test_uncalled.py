"""Verbs and views that are named but not called."""

import ast
import py_compile
import runpy
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from strategy_runtime import Strategy


def defined(folder: Path, body: str, decorator: str = "") -> type[Strategy]:
    """Define a class whose hook has that body, in a file, because the check reads the source."""
    file = folder / "bot.py"
    file.write_text(
        "from strategy_runtime import Strategy\n\n\nclass Bot(Strategy):\n"
        f"    {decorator}\n    def look(self, symbol):\n        {body}\n"
    )
    found: type[Strategy] = runpy.run_path(str(file))["Bot"]
    return found


@pytest.mark.parametrize(
    ("body", "written"),
    [
        ("if not self.position: pass", "position(symbol)"),
        ("if self.position: pass", "position(symbol)"),
        ("if symbol and self.position: pass", "position(symbol)"),
        ("if self.position == 0: pass", "position(symbol)"),
        ("if self.position == -1: pass", "position(symbol)"),
        ("if self.position is None: pass", "position(symbol)"),
        ("while 0 < self.last: pass", "last(symbol)"),
        ("return self.position.is_flat", "position(symbol)"),
        ("return self.position[symbol]", "position(symbol)"),
        ("return self.history[-1]", "history(symbol, count)"),
        ("return self.last * 1.02", "last(symbol)"),
        ("return 1 if self.orders else 2", "orders()"),
        ("return [each for each in self.orders]", "orders()"),
        ("for each in self.orders: pass", "orders()"),
        ("assert not self.orders", "orders()"),
        ("self.close_all", "close_all()"),
        ("return lambda: not self.position", "position(symbol)"),
        ("return self.sma[symbol]", "sma(period)"),
    ],
)
@pytest.mark.parametrize("decorator", ["", "@property"])
def test_a_method_that_is_not_called_is_refused(
    tmp_path: Path, body: str, written: str, decorator: str
) -> None:
    with pytest.raises(TypeError) as caught:
        defined(tmp_path, body, decorator)
    name = written.partition("(")[0]
    assert str(caught.value) == (
        f"Bot.look, line 7: self.{name} is a method that is not called, so it has no effect; "
        f"write self.{written}"
    )


@pytest.mark.parametrize("name", ["on_candle", "on_event"])
def test_a_hook_cannot_be_set_after_hooks_have_been_looked_up(tmp_path: Path, name: str) -> None:
    with pytest.raises(TypeError) as caught:
        defined(tmp_path, f"self.{name} = self.look")
    assert str(caught.value) == (
        f"Bot.look, line 7: self.{name} would be set too late: hooks are looked up before "
        f"on_start; set it in __init__, or define {name} and call the function there"
    )


@pytest.mark.parametrize(
    "body", ["self.position = None", "self.position += 1", "for self.position in (): pass"]
)
def test_a_method_cannot_be_replaced(tmp_path: Path, body: str) -> None:
    with pytest.raises(TypeError) as caught:
        defined(tmp_path, body)
    assert str(caught.value) == (
        "Bot.look, line 7: self.position would replace Strategy.position(); choose another name"
    )


@pytest.mark.parametrize(
    "body",
    [
        "return not self.position(symbol)",
        "self.every('5m', self.close_all)",
        "act = self.buy if symbol else self.sell",
        "act = symbol or self.close_all",
        "return symbol == self.buy or symbol is not self.sell or symbol in (self.close, None)",
        "return self.buy.__doc__",
        "return symbol.position",
        "return not self.positions",
        "self.cash = 5",
        "return lambda self: not self.position",
        "class Model:\n            def __init__(self): self.position = 0",
    ],
)
def test_a_method_that_is_passed_on_is_allowed(tmp_path: Path, body: str) -> None:
    defined(tmp_path, body)


def test_a_class_may_override_a_method_with_an_attribute() -> None:
    class Own(Strategy):
        last = 0.0  # type: ignore[assignment]

        def is_high(self) -> bool:
            self.last = 5.0
            return self.last > 4.0

    assert Own().is_high()


def test_it_is_refused_in_a_class_that_is_mixed_in() -> None:
    class Mixin:
        position: Any

        def is_high(self) -> bool:
            return not self.position

    with pytest.raises(TypeError, match=r"^Mixin\.is_high, line \d+: self\.position is a metho"):

        class Slip(Mixin, Strategy): ...


def test_each_file_is_read_once_for_all_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def parse(source: str) -> ast.AST:
        read.append(source)
        return ast.parse(source)

    monkeypatch.setattr("strategy_runtime.strategy.uncalled.ast", SimpleNamespace(**vars(ast)))
    monkeypatch.setattr("strategy_runtime.strategy.uncalled.ast.parse", parse)
    monkeypatch.syspath_prepend(tmp_path)
    mixin = "class Mixin:\n    def one(self): ...\n    def other(self): ...\n"
    bots = "class {0}(Mixin, Strategy):\n    def one(self): ...\n    def more(self): ...\n"
    (tmp_path / "mixed_in.py").write_text(mixin)
    (tmp_path / "bots.py").write_text(
        "from mixed_in import Mixin\nfrom strategy_runtime import Strategy\n"
        + "".join(map(bots.format, ("First", "Second", "Third")))
    )
    import_module("bots")
    assert sorted(read) == sorted(each.read_text() for each in tmp_path.glob("*.py"))


def test_without_a_source_nothing_is_said(tmp_path: Path) -> None:
    defined(tmp_path, "pass")
    file = tmp_path / "bot.py"
    file.write_text(file.read_text().replace("pass", "return not self.position"))
    compiled = py_compile.compile(str(file), cfile=str(tmp_path / "bot.pyc"), doraise=True)
    file.unlink()
    spec = spec_from_file_location("bot", compiled)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert issubclass(module.Bot, Strategy)
