"""Grafana's dashboards and Prometheus's rules name metrics and labels that a run exports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from sqlalchemy import text

from router_core.monitoring.canary import Arm, SampleStats
from tasks.monitoring.calls import QUEUE_WAIT, WAIT_BUCKETS
from tasks.monitoring.counters import COUNTERS
from tasks.monitoring.writer import CounterWriter
from tasks.store.engine import Store
from tests.support.dispatch_harness import DispatchHarness
from tests.support.paths import REPOSITORY
from tests.support.stores import PostgresServer
from workers.metrics import counted, from_redis, from_store
from workers.metrics.readings import Reader
from workers.simulator import SimulatorProcess

FOLDER = REPOSITORY / "deploy" / "monitoring"
DASHBOARDS = sorted((FOLDER / "grafana" / "dashboards").glob("*.json"))
KEDA = REPOSITORY / "deploy" / "kubernetes" / "overlays" / "autoscaled" / "autoscaling.yaml"
#: the labels that Prometheus adds
ADDED = {"instance", "job", "le"}
FUNCTIONS = {"sum", "max", "min", "by", "without", "rate", "increase", "histogram_quantile"}
FUNCTIONS |= {"and", "on", "or", "unless", "vector"}
Exported = dict[str, list[dict[str, str]]]


def _panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text())["panels"]:
            yield f"{file.stem}: {panel['title']}", panel


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


EXPRESSIONS = {
    **{
        f"{name} {target['refId']}": target["expr"]
        for name, panel in _panels()
        for target in panel["targets"]
        if "expr" in target
    },
    **{rule["alert"]: rule["expr"] for rule in _rules()},
    "KEDA": str(re.findall(r"query: (.+)", KEDA.read_text())[0]),
}
QUERIES = {
    name: panel["targets"][0]["rawSql"] for name, panel in _panels() if "rawSql" in panel["targets"][0]
}


@pytest.fixture(scope="module")
def run(
    postgres: PostgresServer, redis_url: str, simulator: SimulatorProcess
) -> Iterator[tuple[Exported, Store, str]]:
    """What a run with failures exports, its store, and its batch."""
    COUNTERS.take()
    store = Store(postgres.database())
    harness = DispatchHarness(store, redis_url, simulator)
    known = harness.settings.redis.model_copy(update={"url": redis_url})
    settings = harness.settings.model_copy(update={"redis": known})
    nano, large = harness.named("sim-nano"), harness.named("sim-large")
    items: list[object] = [{"prompt": f"Say {n}.", "model": nano} for n in range(4)]
    items.append({"prompt": "[[sim:status=400]] no", "model": large})
    batch_id = harness.submit(items, budget=10_000_000)
    harness.run(batch_id)
    COUNTERS.observe(QUEUE_WAIT, f"dispatch.{nano}", value=0.3, buckets=WAIT_BUCKETS)  # `count_wait`
    CounterWriter(store, "process-1", "dispatch").write()
    yield _exported(Reader(settings, store)), store, batch_id
    store.close()


class _AsRead(Collector):
    """The metrics of a reading, with those of a canary, which no short run has."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def collect(self) -> Iterator[Metric]:
        stored, redis = self._reader.store(), self._reader.redis()
        assert stored is not None
        assert redis is not None
        arm = Arm(*[SampleStats(5, 0.2, 0.1)] * 3)
        stored.canary.update(canary=arm, champion=arm)
        yield from from_store.metrics(stored, self._reader.queues)
        yield from counted.metrics(stored.counters)
        yield from from_redis.metrics(redis)


def _exported(reader: Reader) -> Exported:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_AsRead(reader))
    exported: Exported = {"waybill_up": [{"part": "store"}], "waybill_reading_seconds": [{}]}
    exported["up"] = [{"job": "waybill"}]  # Prometheus's own
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            exported.setdefault(sample.name, []).append(dict(sample.labels))
    return exported


def _faults(expression: str, exported: Exported) -> list[str]:
    """Return what an expression names that is not exported."""
    faults = []
    plain = re.sub(r'"[^"]*"|\[\w+\]', "", expression)
    selectors = re.findall(r"\b((?:waybill|gen_ai)_\w+?|up)(?:\{([^}]*)\})?(?=[\s)\[{]|$)", expression)
    labels = {
        label for found in re.findall(r"(?:by|without) ?\(([^)]*)\)", plain) for label in found.split(", ")
    }
    names = {name for name, _ in selectors if not any(name in label for label in labels)}
    for name, matchers in selectors:
        if name not in names:
            continue
        series = exported.get(name)
        if not series:
            faults.append(f"no series {name}")
            continue
        known = set().union(*series)
        for label, operator, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', matchers or ""):
            if label not in known:
                faults.append(f"{name} has no label {label}")
            elif operator == "=" and value not in {one[label] for one in series} and "queue" not in label:
                faults.append(f"{name} has no {label} {value!r}")
    known = ADDED.union(*(label for name in names for label in exported.get(name, [])))
    faults += [f"no label {label}" for label in labels - known]
    words = set(re.findall(r"\b[a-z_]+\b", re.sub(r"\{[^}]*\}", "", plain)))
    faults += [f"unknown word {word}" for word in words - FUNCTIONS - labels - names]
    return faults


@pytest.mark.postgres
def test_every_panel_and_rule_names_metrics_and_labels_that_a_run_exports(
    run: tuple[Exported, Store, str],
) -> None:
    exported, _, _ = run
    assert len(EXPRESSIONS) > 40
    found = {name: _faults(expression, exported) for name, expression in EXPRESSIONS.items()}
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.postgres
@pytest.mark.parametrize(
    "expression",
    [
        "max(waybill_no_such_metric)",
        "max by (colour) (waybill_calls_total)",
        'sum(waybill_calls_total{colour="red"})',
        'max(waybill_requests{state="asleep"})',
        "maximum(waybill_calls_total)",
    ],
)
def test_a_panel_that_would_find_nothing_is_noticed(
    run: tuple[Exported, Store, str], expression: str
) -> None:
    assert len(_faults(expression, run[0])) == 1


@pytest.mark.postgres
def test_every_panel_of_a_batch_finds_rows(run: tuple[Exported, Store, str]) -> None:
    _, store, batch_id = run
    assert len(QUERIES) == 6
    with store.read() as connection:
        for name, query in QUERIES.items():
            rows = connection.execute(text(query.replace("$batch", batch_id))).all()
            assert rows, name


@pytest.mark.postgres
def test_the_role_of_grafana_may_read_what_the_panels_need_and_no_prompt(
    run: tuple[Exported, Store, str],
) -> None:
    import psycopg

    _, store, batch_id = run
    script = (FOLDER / "grafana-role.sql").read_text().replace(":'password'", "'secret'")
    with store.engine.connect() as connection:
        connection.exec_driver_sql(script)
        connection.exec_driver_sql("SET ROLE grafana")
        for query in QUERIES.values():
            connection.exec_driver_sql(query.replace("$batch", batch_id).replace("%", "%%"))
        for query in ("SELECT body FROM request", "SELECT source FROM batch", "SELECT answer FROM attempt"):
            with pytest.raises(Exception, match="permission denied") as refusal, connection.begin_nested():
                connection.exec_driver_sql(query)
            assert isinstance(refusal.value.__cause__, psycopg.errors.InsufficientPrivilege)
        connection.rollback()


def test_promtool_accepts_the_rules_and_the_settings() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    for arguments in (("rules", "rules.yml"), ("config", "--syntax-only", "prometheus.yml")):
        checked = subprocess.run([promtool, "check", *arguments], cwd=FOLDER, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr + checked.stdout


def test_dashboards_have_names_of_their_own_and_the_sources_that_are_provisioned() -> None:
    boards = [json.loads(file.read_text()) for file in DASHBOARDS]
    assert len({board["uid"] for board in boards}) == len(boards) == 4
    sources = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/waybill.yml").read_text())
    known = {source["uid"] for source in sources["datasources"]}
    used = {panel["datasource"]["uid"] for _, panel in _panels()}
    assert used == known
