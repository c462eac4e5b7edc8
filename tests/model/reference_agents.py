"""The second fold of agents and their measurements, as small and slow as that of tasks."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

Row = dict[str, Any]
Event = Mapping[str, Any]


class AgentFold:
    """Agents by id, and coverage_history by the position of its event."""

    def __init__(self) -> None:
        self.agents: dict[UUID, Row] = {}
        self.coverage_history: dict[int, Row] = {}

    def apply(self, event: Event) -> None:
        """Fold one event of an agent's stream; KeyError for a type nobody taught it."""
        agent_id, data = UUID(event["stream_id"]), event["data"]
        if event["type"] == "agent.created":
            assert event["version"] == 1
            self.agents[agent_id] = born(event)
            return
        agent = self.agents.get(agent_id, {"version": event["version"] - 1})
        assert event["version"] == agent["version"] + 1, "a hole in the stream"
        agent["version"] = event["version"]
        {
            "agent.updated": self._updated,
            "agent.targets_set": self._updated,
            "agent.queried": self._queried,
            "coverage.measured": self._measured,
            "agent.deleted": self._deleted,
        }[event["type"]](agent, data, event)

    def _updated(self, agent: Row, data: Row, event: Event) -> None:
        agent |= {**data, "updated_at": event["recorded_at"]}

    def _queried(self, agent: Row, data: Row, event: Event) -> None:
        seconds_before = (agent["avg_response_time_ms"] or 0.0) * agent["total_queries"]
        agent["total_queries"] += 1
        agent["successful_queries"] += data["results"] > 0
        agent["avg_response_time_ms"] = (seconds_before + data["latency_ms"]) / agent["total_queries"]
        agent["last_query_at"] = event["recorded_at"]

    def _measured(self, agent: Row, data: Row, event: Event) -> None:
        measured_at = datetime.fromisoformat(data["measured_at"])
        counts = {name: data[name] for name in ("total_documents", "total_chunks")}
        percent = Decimal(str(data["overall_coverage"]))
        latest = agent["last_coverage_update"]
        if latest is None or measured_at >= latest:
            agent |= {**counts, "coverage_percent": percent, "last_coverage_update": measured_at}
        self.coverage_history[event["position"]] = {
            **counts,
            "history_id": event["position"],
            "agent_id": UUID(event["stream_id"]),
            "timestamp": measured_at,
            "overall_coverage": percent,
            "version": data["version"],
        }

    def _deleted(self, _: Row, __: Row, event: Event) -> None:
        agent_id = UUID(event["stream_id"])
        self.agents.pop(agent_id, None)
        kept = {key: row for key, row in self.coverage_history.items() if row["agent_id"] != agent_id}
        self.coverage_history = kept


def born(event: Event) -> Row:
    """A new agent, with the coverage that was measured before it was created, if any."""
    data, coverage = event["data"], event["data"].get("coverage", {})
    measured_at = coverage.get("measured_at")
    return {
        **{name: data[name] for name in ("name", "taxonomy_version", "retrieval_config", "features_config")},
        "agent_id": UUID(event["stream_id"]),
        "created_position": event["position"],
        "created_at": event["recorded_at"],
        "updated_at": event["recorded_at"],
        "taxonomy_node_ids": [UUID(node) for node in data["taxonomy_node_ids"]],
        "scope_description": data.get("scope_description"),
        "targets": {},
        "version": 1,
        "level": 1,
        "coverage_percent": Decimal(str(coverage.get("overall_coverage", 0))),
        "last_coverage_update": datetime.fromisoformat(measured_at) if measured_at else None,
        **{name: coverage.get(name, 0) for name in ("total_documents", "total_chunks")},
        **dict.fromkeys(("current_xp", "total_queries", "successful_queries"), 0),
        **dict.fromkeys(("avg_faithfulness", "avg_response_time_ms", "last_query_at")),
    }
