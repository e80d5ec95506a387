"""Alerts and dashboard: every expression parses, and names only what the ops port serves."""

import json
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from strategy_runtime.ops.health import Health
from strategy_runtime.ops.metrics import Metrics
from tests.cli.support import ROOT

ALERTS = ROOT / "ops" / "prometheus" / "alerts.yaml"
DASHBOARD = ROOT / "ops" / "grafana" / "strategies.json"
ADDED_BY_PROMETHEUS = {"pod", "le"}


def served() -> dict[str, set[str]]:
    """Return the names of all series of the ops port, with their labels."""
    metrics = Metrics(Health())
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.exposition()[0].decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> Iterator[Any]:
    for rule in alerts():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for panel in panels():
        for target in panel["targets"]:
            text = target["expr"].replace("$__rate_interval", "1m")
            yield pytest.param(text, id=f"{panel['title']} {target['refId']}")


def selectors(expression: object) -> Iterator[Any]:
    """Return the series that an expression reads."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
    for name in ("expr", "lhs", "rhs", "vector_selector", "args", "param"):
        part = getattr(expression, name, None)
        for each in part if isinstance(part, list) else [part]:
            if each is not None:
                yield from selectors(each)


@pytest.mark.parametrize("text", list(expressions()))
def test_an_expression_reads_series_and_labels_that_exist(text: str) -> None:
    known = served()
    found = list(selectors(promql_parser.parse(text)))
    assert found
    for selector in found:
        assert selector.name in known
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= known[selector.name] | ADDED_BY_PROMETHEUS


def test_what_an_expression_with_a_slip_does() -> None:
    with pytest.raises(ValueError, match="inside brackets"):
        promql_parser.parse("rate(strategy_events_total[5m)")
    (selector,) = selectors(promql_parser.parse("sum(rate(strategy_event_total[5m])) > 3"))
    assert selector.name not in served()


def test_every_alert_says_what_to_do_and_how_bad_it_is() -> None:
    for rule in alerts():
        assert rule["alert"].startswith("Strategy")
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (place["x"] + dx, place["y"] + dy)
            for dx in range(place["w"])
            for dy in range(place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_metric_is_documented() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    for name in served():
        plain = name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        assert f"`{plain.removesuffix('_created')}" in text, plain
