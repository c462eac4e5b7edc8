"""One webhook that came, and how it is told: a line for people, a record for programs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from service.receiver.ledger import News
from service.receiver.signature import TAKEN, Verdict

LONGEST_TEXT = 80
STYLES = {"completed": "green", "failed": "red", "timeout": "red", "cancelled": "yellow"}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it was judged; `answered` is None when it gets no answer, `news` when nobody took it."""

    at: datetime
    endpoint: str
    delivery_id: str
    sequence: int | None
    task_id: str
    status: str
    verdict: Verdict
    news: News | None
    order: str
    answered: int | None
    bytes: int

    @property
    def is_taken(self) -> bool:
        """Whether it may have come from who has the secret."""
        return self.verdict in TAKEN

    def line(self) -> str:
        """For people, with colours (click takes them out where there is no terminal)."""
        verdict = click.style(self.verdict.ljust(10), fg="green" if self.verdict == "verified" else "yellow")
        if not self.is_taken:
            verdict = click.style(self.verdict.ljust(10), fg="red", bold=True)
        answer = str(self.answered or "---")
        parts = [
            click.style(self.at.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3], dim=True),
            click.style(short_id(self.delivery_id).ljust(11), bold=True),
            ("" if self.sequence is None else f"#{self.sequence}").rjust(6),
            self.task_id.ljust(24),
            click.style(self.status.ljust(9), fg=STYLES.get(self.status)),
            verdict,
            click.style(answer, fg="green" if answer.startswith("2") else "red"),
        ]
        notes = [note for note in (None if self.news == "new" else self.news, self.order) if note]
        return "  ".join([*parts, click.style(", ".join(notes), fg="magenta")] if notes else parts)

    def record(self) -> dict[str, Any]:
        """For programs: one JSON line."""
        return {
            "at": self.at.astimezone(UTC),
            "endpoint": self.endpoint,
            "webhook_id": self.delivery_id,
            "sequence": self.sequence,
            "task_id": self.task_id,
            "status": self.status,
            "verdict": self.verdict,
            "news": self.news,
            "order": self.order or None,
            "answered": self.answered,
            "bytes": self.bytes,
        }


def short_id(delivery_id: str) -> str:
    """Enough of `wh-<uuid>` to tell deliveries apart."""
    return delivery_id[:11]


def plain(text: object) -> str:
    """Text from outside as it may stand on a terminal: one line, bounded, no escape sequences."""
    shown = "".join(each if each.isprintable() else "?" for each in str(text)[:LONGEST_TEXT])
    return shown


def sequence_of(headers: Mapping[str, str]) -> int | None:
    """The number of a delivery; None for anything that is none."""
    text = headers.get("webhook-sequence", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def facts_of(body: bytes) -> tuple[str, str]:
    """Task id and status as the body tells them; empty where it does not."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(told, dict):
        return "", ""
    return plain(told.get("task_id") or ""), plain(told.get("status") or "")
