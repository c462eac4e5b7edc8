"""config/prometheus: every metric that a rule or alert names is exported, with the labels it uses."""

import re
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.store.pool import Database
from tests.api_server import KEY, running
from tests.integration.test_metrics import START, WEBHOOK
from tests.integration.test_relay import SETTINGS

PROMETHEUS = Path(__file__).resolve().parents[2] / "config" / "prometheus"
RULE = re.compile(
    r"- alert: (?P<name>\w+)\n\s+expr: "
    r"(?:>-\n(?P<lines>(?:          .*\n)+)|(?P<line>.*)\n)(?P<rest>(?:        .*\n)+)"
)
COUNT = "SELECT count_task_events(0, stable_position()), count_events(0, stable_position())"
ALERTS = {
    *("AnnalsTasksFail", "AnnalsQueueLong", "AnnalsWebhooksFail", "AnnalsWorkersLost", "AnnalsTaskRunsLong"),
    *("AnnalsNoLeader", "AnnalsFollowerLag", "AnnalsDatabaseAway"),
}


def rules() -> dict[str, tuple[str, str]]:
    """Expression, and what follows it, by the name of the alert."""
    text = (PROMETHEUS / "annals.rules.yml").read_text()
    return {found["name"]: (found["lines"] or found["line"], found["rest"]) for found in RULE.finditer(text)}


async def exported(database: str) -> dict[str, set[str]]:
    """Names of samples with their labels, of an installation in which a little has happened."""
    async with await Database.open(SETTINGS.database, database) as db:
        await db.fetchval(START)
        await db.fetch(WEBHOOK, "delivered", {"latency_ms": 30})
        async with running(database) as api:
            await api.enqueue()
            await db.fetch("SELECT open_follower('task_counts', 0)")
            await db.fetch(
                "SELECT count_task_events(0, stable_position()), count_events(0, stable_position())"
            )
            async with aiohttp.ClientSession() as http, http.get(f"{api.url}/metrics", headers=KEY) as answer:
                families = text_string_to_metric_families(await answer.text())
    found: dict[str, set[str]] = {}
    for sample in (sample for family in families for sample in family.samples):
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def unknown(expression: str, known: dict[str, set[str]]) -> set[str]:
    """Names and labels of an expression that no scrape has; `instance` is Prometheus' own."""
    named = set(re.findall(r"\bannals_\w+", expression))
    labels = {"instance"}.union(*(known.get(each, set()) for each in named))
    lists = re.findall(r"by \((.*?)\)", expression)
    grouped = {label.strip() for labels in lists for label in labels.split(",")}
    chosen = set(re.findall(r"[{,](\w+)=", expression))
    return (named - known.keys()) | ((grouped | chosen) - labels)


async def test_every_metric_of_a_rule_is_exported(database: str) -> None:
    known = await exported(database)
    expressions = rules()
    assert expressions.keys() == ALERTS
    for name, (expression, _) in expressions.items():
        assert "annals_" in expression and not unknown(expression, known), name
    assert unknown("sum(annals_tasks_failed) by (queue)", known) == {"annals_tasks_failed", "queue"}
    assert unknown('annals_workers{colour="red"}', known) == {"colour"}


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_alert_says_what_is_wrong_and_what_to_do(name: str) -> None:
    expression, rest = rules()[name]
    assert expression.count("(") == expression.count(")")
    assert {"severity:", "summary:", "action:"} <= set(re.findall(r"\w+:", rest))


def test_the_example_names_the_rules_and_the_path() -> None:
    text = (PROMETHEUS / "prometheus.yml").read_text()
    assert "metrics_path: /metrics" in text
    (rule_file,) = re.findall(r"rule_files:\n\s+- (\S+)", text)
    assert (PROMETHEUS / rule_file).is_file()
