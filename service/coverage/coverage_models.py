"""Coverage, gaps and history as the API shows them, and the dates it takes."""

import re
from datetime import UTC, date, datetime, time
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from service.api.routing import Answer, Model

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_moment(text: str, *, end: bool = False) -> datetime:
    """A date or time of ISO 8601; without an offset it is UTC. A bare date is its first, or last, moment.

    Raises ValueError.
    """
    if DATE.fullmatch(text):
        return datetime.combine(date.fromisoformat(text), time.max if end else time.min, UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(text: str) -> str:
    # In a query string an unescaped + of an offset arrives as a blank.
    text = re.sub(r" (\d{2}:?\d{2})$", r"+\1", text) if "T" in text else text
    try:
        parse_moment(text)
    except ValueError:
        raise ValueError("not a date or time of ISO 8601, as 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return text


Moment = Annotated[str, AfterValidator(_moment)]


class Dates(Model):
    """Both ends are inclusive; a bare date means the whole day, in UTC."""

    start_date: Moment | None = Field(default=None, examples=["2026-01-01"])
    end_date: Moment | None = Field(default=None, examples=["2026-01-31T12:00:00Z"])

    def as_range(self) -> tuple[datetime | None, datetime | None]:
        """First and last moment; None for an open end."""
        return (
            parse_moment(self.start_date) if self.start_date else None,
            parse_moment(self.end_date, end=True) if self.end_date else None,
        )


class HistoryQuery(Dates):
    """Which measurements are wanted."""

    limit: int = Field(default=100, ge=1, le=1000)


class BucketQuery(Dates):
    """Which measurements are wanted, and how they are put together."""

    interval: Literal["daily", "weekly", "monthly"] = "daily"


class GapQuery(Model):
    """From which share of its target on a node has no gap."""

    threshold: float = Field(default=0.5, ge=0, le=1)


class CoverageModel(Answer):
    """A measurement of now. The maps are by node id; percentages are 0 to 100."""

    agent_id: UUID
    overall_coverage: float
    node_coverage: dict[str, float]
    document_counts: dict[str, int]
    target_counts: dict[str, int]
    total_documents: int
    total_chunks: int
    version: str
    measured_at: datetime


class GapModel(Answer):
    """A node that lacks documents."""

    node_id: UUID
    label: str
    coverage_percent: float
    document_count: int
    target_count: int
    missing_docs: int
    recommendation: str


class GapList(Answer):
    """Gaps, those that miss most documents first."""

    agent_id: UUID
    gaps: list[GapModel]
    threshold: float
    detected_at: datetime


class HistoryEntry(Answer):
    """One measurement."""

    timestamp: datetime
    overall_coverage: float
    total_documents: int
    total_chunks: int
    version: str


class HistoryList(Answer):
    """Measurements, newest first; the dates are as given, `total_entries` counts all within them."""

    agent_id: UUID
    history: list[HistoryEntry]
    start_date: str | None
    end_date: str | None
    total_entries: int


class BucketModel(Answer):
    """The measurements of one day, week (from Monday) or month, in UTC."""

    start: datetime
    min: float
    max: float
    avg: float
    last: float
    count: int


class BucketList(Answer):
    """Days, weeks or months with measurements, oldest first."""

    agent_id: UUID
    interval: str
    buckets: list[BucketModel]
