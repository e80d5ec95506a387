"""The images, built and run: the runtime's own, and that of a new project."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from strategy_runtime.scaffold.names import check_name
from strategy_runtime.scaffold.project import create_project
from strategy_runtime.scaffold.templates import find_template, list_templates, templates_folder
from tests.deploy.containers import Image, Network, build, send, unpacked

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[2]
BASE = os.environ.get("IMAGE_BASE", "")
RUNTIME = "strategy-runtime:0.1"
NAME = check_name("my-bot")
OPS = "http://localhost:8090"
URLS = {"PROXY_WS_URL": "ws://localhost:8082", "PROXY_REST_URL": "http://localhost:8080"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not BASE, reason="IMAGE_BASE names no base image; see .ci/base-image"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an unedited project, and build its image and the runtime's."""
    clone = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for path in filter(None, listed.stdout.split("\0")):
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, clone / path)
    (clone / "strategy_runtime" / ".env").write_text("PROXY_API_KEY=canary\n")
    build(clone, RUNTIME, PYTHON=BASE)
    folder = made("sma-cross", tmp_path_factory.mktemp("projects"))
    (folder / ".env").write_text("PROXY_API_KEY=canary\n")
    build(folder, NAME.name)
    return folder


def made(template: str, parent: Path) -> Path:
    """Make a project of a template."""
    folder = templates_folder()
    create_project(NAME, find_template(folder, template), folder, parent)
    return parent / NAME.name


@pytest.fixture(scope="module")
def image(project: Path) -> Iterator[Image]:
    with unpacked(NAME.name) as found:
        yield found


@pytest.mark.parametrize("template", [each.name for each in list_templates(templates_folder())])
def test_the_image_of_every_template_can_backtest(
    template: str, project: Path, tmp_path: Path
) -> None:
    build(made(template, tmp_path), f"my-{template}")
    with unpacked(f"my-{template}") as image:
        done = image.run(NAME.target, "--json", entrypoint=["strategy-backtest"])
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
    assert (result["strategy"], result["complete"]) == (NAME.class_name, True)
    assert result["fills"] > 40


def test_a_project_that_only_its_owner_may_read_makes_an_image_too(
    project: Path, tmp_path: Path
) -> None:
    folder = made("minimal", tmp_path)
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)
    build(folder, "my-private")
    with unpacked("my-private") as image:
        done = image.run(NAME.target, "--json", entrypoint=["strategy-backtest"])
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def runtime(project: Path) -> Iterator[Image]:
    with unpacked(RUNTIME) as found:
        yield found


def test_it_runs_the_strategy_as_nobody_in_particular(image: Image) -> None:
    assert image.config["Entrypoint"] == ["strategy-run"]
    assert image.config["Cmd"] == [NAME.target]
    assert image.config["User"] == "10001:10001"
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["Labels"]["org.opencontainers.image.title"] == NAME.name


def test_no_secret_is_in_it(image: Image) -> None:
    assert not [each for each in image.config["Env"] if "KEY" in each or "TOKEN" in each]
    assert list(Path(image.root).rglob(".env")) == []


def test_all_its_modules_are_compiled(image: Image) -> None:
    root = Path(image.root)
    sources = [*(root / "opt/venv/lib").rglob("*.py"), *(root / "app").rglob("*.py")]
    assert len(sources) > 250
    bare = [
        path
        for path in sources
        if not list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))
    ]
    assert bare == []


def test_it_cannot_be_written_to(image: Image) -> None:
    done = image.run("-c", "id -u; id -g; touch /app/x /opt/venv/x", entrypoint=["sh"])
    assert done.stdout.split() == ["10001", "10001"]
    assert done.stderr.count("Read-only file system") == 2


def test_the_runtime_makes_projects_too(runtime: Image) -> None:
    done = runtime.run("--list", entrypoint=["strategy-new"])
    assert "sma-cross" in done.stdout, done.stderr


def test_the_rehearsal_of_the_compose_file_trades_as_the_backtest_does(
    image: Image, project: Path
) -> None:
    services = yaml.safe_load((project / "compose.yaml").read_text())["services"]
    proxy, bot = services["proxy"], services[NAME.name]
    assert bot["network_mode"] == "service:proxy"
    command = image.command(*proxy["command"], entrypoint=proxy["entrypoint"])
    with Network() as network:
        exchange = network.start(command)
        strategy = network.start(image.command())
        result, said = exchange.communicate(timeout=50)
        assert exchange.returncode == 0, said
        _, log = strategy.communicate(timeout=50)
        assert strategy.returncode == 0, log
    here = image.run(NAME.target, "--json", entrypoint=["strategy-backtest"]).stdout
    found = json.loads(result[result.index("\n") :])
    assert found["fill_hash"] == json.loads(here)["fill_hash"]


def test_sigterm_reaches_the_strategy_and_ends_it_in_good_order(image: Image) -> None:
    proxy = image.command("--data", "data", "--speed", "1x", entrypoint=["strategy-proxy"])
    with Network() as network:
        network.start(proxy)
        strategy = network.start(image.command(env=URLS))
        wait_for("running MyBot", strategy.stderr)
        send(signal.SIGTERM, strategy)
        _, log = strategy.communicate(timeout=8)
        assert strategy.returncode == 0, log


def test_the_health_check_follows_the_proxy(image: Image) -> None:
    kind, *check = image.config["Healthcheck"]["Test"]
    assert (kind, check) == ("CMD", ["strategy-run", "--healthcheck"])
    proxy = image.command("--data", "data", "--speed", "1x", entrypoint=["strategy-proxy"])
    probe = image.command(*check[1:], entrypoint=check[:1])
    with Network() as network:

        def wait_until(code: int, said: str) -> None:
            for _ in range(100):  # of about a quarter of a second each
                answer = network.run(probe)
                if answer.returncode == code and said in answer.stdout + answer.stderr:
                    return
            raise AssertionError(f"{code} and {said!r} did not come: {answer}")

        wait_until(1, "8090")
        exchange = network.start(proxy)
        strategy = network.start(image.command(env={**URLS, "STRATEGY_MODE": "live"}))
        wait_until(0, "")
        send(signal.SIGKILL, exchange)
        wait_until(1, "connected")
        network.start(proxy)
        wait_until(0, "")
        assert strategy.poll() is None
        asked = "from urllib.request import urlopen as ask; print(ask(%r).read().decode())"
        metrics = image.command("-c", asked % f"{OPS}/metrics", entrypoint=["python"])
        assert "strategy_connected 1.0" in network.run(metrics).stdout.splitlines()


def wait_for(text: str, stream: IO[str] | None) -> None:
    assert stream is not None
    seen = []
    for line in stream:
        seen.append(line)
        if text in line:
            return
    raise AssertionError(f"the stream ended without {text!r}: {''.join(seen)}")
