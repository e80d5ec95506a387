"""Loading a strategy by its target: one test for each way in which it can fail."""

import code
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strategy_runtime import Strategy
from strategy_runtime.errors import LoadError
from strategy_runtime.runtime.loader import load_strategy

ONE = "from strategy_runtime import Strategy\n\nclass Bot(Strategy): ...\n"

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Write modules; their imports are undone after the test."""
    path, before = sys.path[:], set(sys.modules)

    def write(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    yield write
    sys.path[:] = path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal(target: str, directory: Path) -> str:
    with pytest.raises(LoadError) as caught:
        load_strategy(target, directory=directory)
    return str(caught.value)


# Ways to name one


@pytest.mark.parametrize(
    "target", ["bot_a:Bot", "bot_a", "bot_a.py:Bot", "bot_a.py", "./bot_a.py:Bot"]
)
def test_a_module_or_file_with_or_without_the_class(
    target: str, write: Write, tmp_path: Path
) -> None:
    write("bot_a.py", ONE)
    found = load_strategy(target, directory=tmp_path)
    assert issubclass(found, Strategy)
    assert (found.__name__, found.__module__) == ("Bot", "bot_a")


def test_a_module_of_a_package(write: Write, tmp_path: Path) -> None:
    write("pack_a/__init__.py", "")
    write("pack_a/deep.py", ONE)
    assert load_strategy("pack_a.deep:Bot", directory=tmp_path).__module__ == "pack_a.deep"


def test_dotted_attributes(write: Write, tmp_path: Path) -> None:
    write("bot_b.py", f"{ONE}\nclass Box:\n    Inner = Bot\n")
    assert load_strategy("bot_b:Box.Inner", directory=tmp_path).__name__ == "Bot"


def test_a_file_by_its_whole_path_may_import_its_neighbours(write: Write, tmp_path: Path) -> None:
    write("far/neighbour_a.py", "NAME = 'x'\n")
    file = write("far/bot_c.py", f"import neighbour_a\n{ONE}")
    assert load_strategy(f"{file}:Bot", directory=tmp_path / "elsewhere").__name__ == "Bot"


def test_the_directory_comes_before_what_is_installed(write: Write, tmp_path: Path) -> None:
    write("colorsys.py", ONE)
    sys.modules.pop("colorsys", None)
    assert load_strategy("colorsys:Bot", directory=tmp_path).__name__ == "Bot"


def test_a_class_that_is_only_imported_does_not_count_as_defined(
    write: Write, tmp_path: Path
) -> None:
    write("base_a.py", ONE)
    write("bot_d.py", "from base_a import Bot\n\nclass Mine(Bot): ...\n")
    assert load_strategy("bot_d", directory=tmp_path).__name__ == "Mine"


def test_a_file_named_like_a_loaded_module_loads_all_the_same(write: Write, tmp_path: Path) -> None:
    write("json.py", ONE)
    assert load_strategy("json.py:Bot", directory=tmp_path).__name__ == "Bot"


# Ways to fail


@pytest.mark.parametrize(
    "target", ["", ":", ":Bot", "bot:", "bot:1st", "a b:Bot", "bot:A:B", "b..c"]
)
def test_bad_format(target: str, tmp_path: Path) -> None:
    assert refusal(target, tmp_path) == (
        f"{target!r} does not name a strategy; write module:Class, such as bot:SmaCross, "
        "or file.py:Class"
    )


def test_a_path_without_its_ending(tmp_path: Path) -> None:
    assert refusal("bots/sma:Bot", tmp_path) == (
        "'bots/sma:Bot' is neither a module nor a file; write bots.sma:Class or bots/sma.py:Class"
    )


def test_a_path_without_its_ending_of_a_file_that_is_there(write: Write, tmp_path: Path) -> None:
    write("my-bot.py", ONE)
    assert refusal("my-bot:Bot", tmp_path) == (
        "'my-bot:Bot' does not name a module; did you mean 'my-bot.py:Bot'?"
    )
    write("bots/sma.py", ONE)
    assert refusal("./bots/sma", tmp_path) == (
        "'./bots/sma' does not name a module; did you mean './bots/sma.py'?"
    )


def test_a_folder_in_place_of_a_file(write: Write, tmp_path: Path) -> None:
    write("far-off/sma.py", ONE)
    write("far-off/__init__.py", "")
    for target in ("far-off", "far-off/", "far-off:Bot"):
        place = target.removesuffix(":Bot")
        assert refusal(target, tmp_path) == (
            f"{place!r} is a folder; name a file in it: far-off/sma.py"
        )
    (tmp_path / "far-off/sma.py").unlink()
    assert refusal("far-off/", tmp_path) == (
        "'far-off/' is a folder without Python code; write module:Class, such as bot:SmaCross, or "
        "file.py:Class"
    )


def test_a_package_in_place_of_a_module(write: Write, tmp_path: Path) -> None:
    write("pack_c/sma.py", ONE)
    assert refusal("pack_c", tmp_path) == (
        "'pack_c' is a folder and defines no strategy itself; name a module in it: pack_c.sma"
    )


@pytest.mark.parametrize("target", ["prices.csv", "./prices.csv", "data-2024"])
def test_a_file_that_is_none_of_python(target: str, write: Write, tmp_path: Path) -> None:
    write(target, "1,2\n")
    assert refusal(target, tmp_path) == (
        f"{target!r} is a file, but none with Python code; write module:Class, such as "
        "bot:SmaCross, or file.py:Class"
    )


def test_a_point_in_place_of_the_colon(write: Write, tmp_path: Path) -> None:
    write("bot_n.py", ONE)
    assert refusal("bot_n.Bot", tmp_path) == (
        "there is no module 'bot_n.Bot', 'bot_n' is not a package; did you mean 'bot_n:Bot'?"
    )
    assert refusal("bot_n.qqqqqq", tmp_path) == (
        "there is no module 'bot_n.qqqqqq', 'bot_n' is not a package; its strategies are Bot"
    )


def test_module_missing(write: Write, tmp_path: Path) -> None:
    write("my_bot.py", ONE)
    assert refusal("my_bto:Bot", tmp_path) == (
        f"there is no module 'my_bto' in {tmp_path} nor among those installed; "
        "did you mean 'my_bot'?"
    )


def test_module_of_a_package_missing(write: Write, tmp_path: Path) -> None:
    write("pack_b/__init__.py", "")
    write("pack_b/sma_cross.py", ONE)
    assert refusal("pack_b.sma_cros:Bot", tmp_path) == (
        f"there is no module 'pack_b.sma_cros' in {tmp_path / 'pack_b'} nor among those installed; "
        "did you mean 'sma_cross'?"
    )


def test_file_missing(write: Write, tmp_path: Path) -> None:
    write("bots/sma_cross.py", ONE)
    assert refusal("bots/sma_crss.py:Bot", tmp_path) == (
        f"there is no file sma_crss.py in {tmp_path / 'bots'}; did you mean 'sma_cross.py'?"
    )


def test_module_hidden_by_one_of_the_same_name(write: Write, tmp_path: Path) -> None:
    write("json.py", ONE)
    import json

    assert refusal("json:Bot", tmp_path) == (
        f"json.py has the name of another module ({json.__file__}); write json.py:Class, or "
        "rename the file"
    )


def test_attribute_missing_with_a_near_match(write: Write, tmp_path: Path) -> None:
    write("bot_e.py", ONE)
    assert refusal("bot_e:Bott", tmp_path) == (
        f"'bot_e' ({tmp_path / 'bot_e.py'}) has no 'Bott'; did you mean 'Bot'?"
    )


def test_attribute_missing_without_one(write: Write, tmp_path: Path) -> None:
    write("bot_f.py", f"{ONE}\nclass Other(Strategy): ...\n")
    assert refusal("bot_f:Zzz", tmp_path) == (
        f"'bot_f' ({tmp_path / 'bot_f.py'}) has no 'Zzz'; its strategies are Bot, Other"
    )
    assert refusal("bot_f:Bot.x.y", tmp_path) == (
        "'bot_f:Bot' has no 'x'; its strategies are Bot, Other"
    )
    write("bot_g.py", "x = 1\n")
    assert refusal("bot_g:Zzz", tmp_path) == (
        f"'bot_g' ({tmp_path / 'bot_g.py'}) has no 'Zzz'; it defines no strategy"
    )


def test_a_module_from_elsewhere_is_told_with_its_place(write: Write, tmp_path: Path) -> None:
    assert refusal("code:Bot", tmp_path) == (
        f"'code' ({code.__file__}) has no 'Bot'; it defines no strategy"
    )
    assert refusal("sys:Bot", tmp_path) == (
        "'sys' (built into Python) has no 'Bot'; it defines no strategy"
    )
    write("pack_n/bot_n.py", ONE)
    assert refusal("pack_n:Bot", tmp_path) == (
        f"'pack_n' ({tmp_path / 'pack_n'}) has no 'Bot'; it defines no strategy"
    )


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("number", "an int, not a strategy class"),
        ("text", "a str, not a strategy class"),
        ("helper", "a function, not a strategy class"),
        ("sys", "a module, not a strategy class"),
        ("bot", "an instance of Bot (name the class itself), not a strategy class"),
        (
            "Plain",
            "a class, but not a subclass of strategy_runtime.Strategy; its strategies are Bot",
        ),
        ("Strategy", "the base class itself; its strategies are Bot"),
    ],
)
def test_not_a_strategy(name: str, what: str, write: Write, tmp_path: Path) -> None:
    write(
        "bot_h.py",
        f"import sys\n{ONE}\nnumber = 1\ntext = ''\nbot = Bot()\n"
        "def helper(): ...\nclass Plain: ...\n",
    )
    assert refusal(f"bot_h:{name}", tmp_path) == f"'bot_h:{name}' is {what}"


def test_no_strategy_in_the_module(write: Write, tmp_path: Path) -> None:
    write("bot_i.py", "x = 1\n")
    assert refusal("bot_i", tmp_path) == (
        f"'bot_i' ({tmp_path / 'bot_i.py'}) defines no strategy, no subclass of Strategy"
    )


def test_a_file_that_imports_from_its_package_is_told_how_to_name_it(
    write: Write, tmp_path: Path
) -> None:
    write("pack_r/base.py", ONE)
    write("pack_r/bot_r.py", "from .base import Bot\nclass Mine(Bot): ...\n")
    with pytest.raises(ImportError) as caught:
        load_strategy("pack_r/bot_r.py:Mine", directory=tmp_path)
    assert caught.value.__notes__ == [
        f"a file is not part of a package: in {tmp_path}, name it as pack_r.bot_r:Class"
    ]
    assert load_strategy("pack_r.bot_r:Mine", directory=tmp_path).__name__ == "Mine"


def test_only_one_that_others_are_made_of(write: Write, tmp_path: Path) -> None:
    write(
        "bot_abstract.py",
        "from abc import ABC, abstractmethod\nfrom strategy_runtime import Strategy\n"
        "class Base(Strategy, ABC):\n    @abstractmethod\n    def decide(self): ...\n",
    )
    assert refusal("bot_abstract", tmp_path) == (
        f"'bot_abstract' ({tmp_path / 'bot_abstract.py'}) defines no strategy, no subclass of "
        "Strategy; Base is abstract, so derive one from it"
    )


def test_none_of_its_own(write: Write, tmp_path: Path) -> None:
    write("base_b.py", ONE)
    write("bot_j.py", "from strategy_runtime import Strategy\nfrom base_b import Bot\n")
    assert refusal("bot_j", tmp_path) == (
        f"'bot_j' ({tmp_path / 'bot_j.py'}) defines no strategy, no subclass of Strategy; it "
        "imports bot_j:Bot"
    )


def test_several_strategies_in_the_module(write: Write, tmp_path: Path) -> None:
    write("bot_k.py", f"{ONE}\nclass Other(Strategy): ...\nclass _Base(Strategy): ...\n")
    assert refusal("bot_k", tmp_path) == (
        "'bot_k' defines 2 strategies; say which: bot_k:Bot or bot_k:Other"
    )


def test_an_abstract_class_is_no_choice(write: Write, tmp_path: Path) -> None:
    abstract = "class Signals(Strategy, ABC):\n    @abstractmethod\n    def signal(self): ...\n"
    own = "class Bot(Signals):\n    def signal(self): ...\n"
    imports = "from abc import ABC, abstractmethod\nfrom strategy_runtime import Strategy\n"
    write("bot_q.py", imports + abstract + own)
    assert load_strategy("bot_q", directory=tmp_path).__name__ == "Bot"


# Errors inside the user's module


@pytest.mark.parametrize("target", ["broken_{}:Bot", "broken_{}.py:Bot"])
def test_an_error_inside_begins_in_the_users_code(
    target: str, write: Write, tmp_path: Path
) -> None:
    name = "a" if ".py" in target else "b"
    file = write(f"broken_{name}.py", "def helper():\n    return {}['key']\n\nhelper()\n")
    with pytest.raises(KeyError) as caught:
        load_strategy(target.format(name), directory=tmp_path)
    frames = [
        (Path(frame.filename).name, frame.lineno)
        for frame in traceback.extract_tb(caught.value.__traceback__)
    ]
    assert frames[-2:] == [(file.name, 4), (file.name, 2)]
    assert {name for name, _ in frames[:-2]} == {"test_loader.py", "loader.py"}


def test_a_missing_module_inside_is_not_taken_for_the_one_asked_for(
    write: Write, tmp_path: Path
) -> None:
    write("bot_l.py", "import nowhere_to_be_found\n")
    with pytest.raises(ModuleNotFoundError, match="No module named 'nowhere_to_be_found'"):
        load_strategy("bot_l:Bot", directory=tmp_path)


def test_a_file_that_failed_is_not_remembered(write: Write, tmp_path: Path) -> None:
    write("bot_m.py", "1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        load_strategy("bot_m.py", directory=tmp_path)
    write("bot_m.py", ONE)
    assert load_strategy("bot_m.py", directory=tmp_path).__name__ == "Bot"
