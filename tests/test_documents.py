"""What the documents show is true: code blocks run, and links lead somewhere."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from strategy_runtime.demo import strategy as demo

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def code_of(source: str) -> str:
    """A module without its docstring."""
    return source[source.index("from decimal") :]


def test_the_readme_the_example_and_the_demonstration_show_the_same_strategy() -> None:
    shown = blocks("python")[0]
    assert shown == code_of(Path(demo.__file__).read_text())
    assert shown == code_of((ROOT / "examples" / "sma_cross.py").read_text())


def test_the_strategy_of_the_readme_is_short() -> None:
    lines = [line for line in blocks("python")[0].splitlines() if line.strip()]
    assert len([line for line in lines if not line.startswith(("from", "import"))]) <= 20


async def test_the_test_of_the_readme_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = ModuleType("bot")
    exec(blocks("python")[0], bot.__dict__)  # noqa: S102
    monkeypatch.setitem(sys.modules, "bot", bot)
    namespace: dict[str, object] = {}
    exec(blocks("python")[1], namespace)  # noqa: S102
    test = namespace["test_buys_the_cross_and_sells_the_reverse"]
    assert callable(test)
    await test()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


# The fill rules: each sentence has a test of its own.

RULES = ROOT / "docs" / "fill-rules.md"
TESTS = dict(re.findall(r"^\[(\w+)\]: (\S+)$", RULES.read_text(), re.MULTILINE))


def rules() -> list[str]:
    """The sentences of the page and the rows of its tables, from the first section on."""
    text = re.sub(r"^\[\w+\]: .*$", "", RULES.read_text(), flags=re.MULTILINE)
    found: list[str] = []
    for block in re.split(r"\n\s*\n", text[text.index("\n## ") :]):
        if block.lstrip().startswith("|"):
            found += block.strip().splitlines()[2:]
        elif not block.lstrip().startswith("#"):
            found += re.split(r"(?<=\.)\s+(?=[A-Z])", block.strip())
    return [sentence for sentence in found if sentence]


@pytest.mark.parametrize("sentence", rules())
def test_each_fill_rule_names_a_test(sentence: str) -> None:
    named = re.findall(r"\]\[(\w+)\]", sentence)
    assert named, f"no test is named by: {sentence}"
    assert set(named) <= set(TESTS)


@pytest.mark.parametrize("target", TESTS.values())
def test_the_test_of_a_fill_rule_exists(target: str) -> None:
    path, _, name = target.partition("#")
    source = (RULES.parent / path).read_text()
    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), target


def test_no_two_fill_rules_share_a_test() -> None:
    named = re.findall(r"\]\[(\w+)\]", "\n".join(rules()))
    assert sorted(named) == sorted(TESTS)
    assert len(set(TESTS.values())) == len(TESTS) > 100
