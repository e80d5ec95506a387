"""The manifests of a project are valid, and keep their promises about the pod that trades."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.proxy import Endpoints
from strategy_runtime.runtime.settings import read_environment, resolve
from strategy_runtime.scaffold.names import check_name
from strategy_runtime.scaffold.project import create_project
from strategy_runtime.scaffold.templates import find_template, templates_folder

kubernetes_validate = pytest.importorskip("kubernetes_validate")
yaml = pytest.importorskip("yaml")

STOPS_WITHIN_S = 8  # what strategy-run promises
OVERLAYS = ["backtest", "paper", "live"]
TRADING = OVERLAYS[1:]
KUSTOMIZE = next(
    (
        [tool, verb]
        for tool, verb in (("kustomize", "build"), ("kubectl", "kustomize"))
        if shutil.which(tool)
    ),
    None,
)

pytestmark = pytest.mark.skipif(KUSTOMIZE is None, reason="neither kustomize nor kubectl is here")


@pytest.fixture(scope="module")
def overlays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects")
    template = find_template(templates_folder(), "minimal")
    create_project(check_name("my-bot"), template, templates_folder(), folder)
    return folder / "my-bot" / "k8s" / "overlays"


def built(folder: Path) -> list[dict[str, Any]]:
    """Build an overlay, and return its documents."""
    done = subprocess.run(
        [*(KUSTOMIZE or []), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def one(kind: str, documents: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [each for each in documents if each["kind"] == kind]
    return found


def pod_of(documents: list[dict[str, Any]]) -> dict[str, Any]:
    (owner,) = [each for each in documents if each["kind"] in ("Job", "StatefulSet")]
    pod: dict[str, Any] = owner["spec"]["template"]
    return pod


def settings(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_cluster_would_take_them(overlay: str, overlays: Path) -> None:
    for document in built(overlays / overlay):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_check_sees_a_misspelt_field(overlays: Path) -> None:
    broken = one("StatefulSet", built(overlays / "live"))
    broken["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_has_no_rights_it_does_not_need(overlay: str, overlays: Path) -> None:
    pod = pod_of(built(overlays / overlay))["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"].items() >= {"runAsNonRoot": True, "runAsUser": 10001}.items()
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    limits, requests = container["resources"]["limits"], container["resources"]["requests"]
    assert limits["memory"] == requests["memory"]
    assert {each["name"] for each in container["volumeMounts"]} >= {"tmp"}


@pytest.mark.parametrize("overlay", TRADING)
def test_a_strategy_is_one_pod_and_has_time_to_stop(overlay: str, overlays: Path) -> None:
    strategy = one("StatefulSet", built(overlays / overlay))["spec"]
    assert strategy["replicas"] == 1
    (claim,) = strategy["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert strategy["template"]["spec"]["terminationGracePeriodSeconds"] > 2 * STOPS_WITHIN_S


@pytest.mark.parametrize("overlay", TRADING)
def test_a_pod_that_is_not_ready_does_not_keep_corrected_settings_out(
    overlay: str, overlays: Path
) -> None:
    # With OrderedReady the controller replaces no pod that was never ready.
    strategy = one("StatefulSet", built(overlays / overlay))["spec"]
    assert strategy["podManagementPolicy"] == "Parallel"


@pytest.mark.parametrize("overlay", TRADING)
def test_what_outlives_a_pod_is_on_its_volume(overlay: str, overlays: Path) -> None:
    documents = built(overlays / overlay)
    (container,) = pod_of(documents)["spec"]["containers"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    (claim,) = one("StatefulSet", documents)["spec"]["volumeClaimTemplates"]
    assert settings(container)["STATE_DIR"] == mounts[claim["metadata"]["name"]]


@pytest.mark.parametrize("overlay", TRADING)
def test_the_probes_ask_the_ops_port(overlay: str, overlays: Path) -> None:
    (container,) = pod_of(built(overlays / overlay))["spec"]["containers"]
    assert [port["name"] for port in container["ports"]] == ["ops"]
    assert settings(container)["OPS_PORT"] == str(container["ports"][0]["containerPort"])
    asked = {
        name: container[name]["httpGet"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert {each["port"] for each in asked.values()} == {"ops"}
    assert [each["path"] for each in asked.values()] == ["/livez", "/livez", "/readyz"]


@pytest.mark.parametrize("overlay", TRADING)
def test_settings_come_from_a_map_and_would_be_taken(overlay: str, overlays: Path) -> None:
    documents = built(overlays / overlay)
    (container,) = pod_of(documents)["spec"]["containers"]
    config = one("ConfigMap", documents)
    assert container["envFrom"] == [{"configMapRef": {"name": config["metadata"]["name"]}}]
    key = "secret" if "PROXY_API_KEY_FILE" in settings(container) else None
    Endpoints(
        ws_url=config["data"]["PROXY_WS_URL"],
        rest_url=config["data"]["PROXY_REST_URL"],
        api_key=key,
    )
    assert config["data"]["STRATEGY_MODE"] == "live"
    assert len(parse_subscriptions(config["data"]["SUBSCRIPTIONS"])) == 3


def test_they_show_the_settings_of_env_example_and_all_of_these_would_be_taken(
    overlays: Path,
) -> None:
    project = overlays.parent.parent
    example = (project / ".env.example").read_text()
    manifests = [
        (project / "k8s" / folder / "kustomization.yaml").read_text()
        for folder in ("trader", "overlays/live")
    ]
    # Including those that are commented out.
    shown = dict(re.findall(r"^#?(\w+)=(.+)", example, re.MULTILINE))
    listed = dict(re.findall(r"^ +(?:# )?- (\w+)=(.+)", "".join(manifests), re.MULTILINE))
    del shown["PROXY_API_KEY_FILE"]  # the file does not exist here
    resolve({}, read_environment(shown))
    resolve({}, read_environment(listed))
    assert shown.keys() == listed.keys() - {"LOG_FORMAT"}


def test_the_key_comes_from_a_secret_that_is_in_no_file(overlays: Path) -> None:
    documents = built(overlays / "live")
    assert not [each for each in documents if each["kind"] == "Secret"]
    pod = pod_of(documents)["spec"]
    (container,) = pod["containers"]
    assert settings(container)["PROXY_API_KEY_FILE"] == "/run/secrets/proxy/api-key"
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert mounts == {"state": "/state", "tmp": "/tmp", "proxy": "/run/secrets/proxy"}  # noqa: S108
    (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert secret == {"secretName": "my-bot-live"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_policy_is_about_this_pod_and_lets_it_reach_its_proxy_alone(
    overlay: str, overlays: Path
) -> None:
    documents = built(overlays / overlay)
    policy = one("NetworkPolicy", documents)["spec"]
    labels = pod_of(documents)["metadata"]["labels"]
    own = policy["podSelector"]["matchLabels"]
    assert own
    assert own.items() <= labels.items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ports = [port["port"] for rule in policy.get("egress", []) for port in rule["ports"]]
    assert ports == ([] if overlay == "backtest" else [8080, 8082, 53, 53])
    # kustomize writes the strategy's own labels into each matchLabels that it finds.
    peers = [peer["podSelector"] for rule in policy.get("egress", []) for peer in rule["to"]]
    assert all(peer.keys() == {"matchExpressions"} for peer in peers)
    chosen = [each["values"] for peer in peers for each in peer["matchExpressions"]]
    assert chosen == ([] if overlay == "backtest" else [["trading-proxy"], ["kube-dns"]])


def test_a_backtest_runs_once(overlays: Path) -> None:
    job = one("Job", built(overlays / "backtest"))["spec"]
    assert job["backoffLimit"] == 0
    (container,) = job["template"]["spec"]["containers"]
    assert container["command"] + container["args"] == [
        "strategy-backtest",
        "my_bot:MyBot",
        "--json",
    ]


@pytest.fixture
def monitored(overlays: Path) -> Iterator[Path]:
    """Build the overlays with the component for the Prometheus operator."""
    folder = overlays / "monitored"
    for overlay in TRADING:
        shutil.copytree(overlays / overlay, folder / overlay)
        file = folder / overlay / "kustomization.yaml"
        text = file.read_text().replace("# components:", "components:")
        file.write_text(text.replace("../..", "../../.."))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("overlay", TRADING)
def test_a_monitor_finds_its_pod_alone_and_the_port(overlay: str, monitored: Path) -> None:
    documents = built(monitored / overlay)
    monitor = one("PodMonitor", documents)["spec"]
    labels = pod_of(documents)["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"] == labels
    assert [each["port"] for each in monitor["podMetricsEndpoints"]] == ["ops"]


def test_all_the_projects_yaml_can_be_read(overlays: Path) -> None:
    project = overlays.parent.parent
    files = [*project.rglob("*.yaml"), *project.rglob("*.yml")]
    assert {"compose.yaml", "ci.yml", "kustomization.yaml"} <= {path.name for path in files}
    for path in files:
        assert yaml.safe_load(path.read_text()), path


def test_the_rehearsal_takes_all_that_its_proxy_replays(overlays: Path) -> None:
    # For any prices in the image, and any subscriptions in .env, which compose reads, too.
    text = (overlays.parent.parent / "compose.yaml").read_text()
    assert "SUBSCRIPTIONS" not in text
    assert "${" not in text


def test_the_rehearsal_cannot_write_and_gains_no_rights(overlays: Path) -> None:
    project = overlays.parent.parent
    services = yaml.safe_load((project / "compose.yaml").read_text())["services"]
    assert set(services) == {"proxy", "my-bot"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
