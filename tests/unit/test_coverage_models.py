"""Dates as they are given, and the taxonomy as a tree."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import ValidationError

from service.coverage.content import TaxonomyNode
from service.coverage.content_models import tree_of
from service.coverage.coverage_models import Dates


def test_a_bare_date_means_the_whole_day() -> None:
    first, last = Dates(start_date="2026-01-01", end_date="2026-01-31").as_range()
    assert first == datetime(2026, 1, 1, tzinfo=UTC)
    assert last == datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_a_time_without_an_offset_is_utc_and_one_with_is_kept() -> None:
    first, _ = Dates(start_date="2026-01-01T12:00:00").as_range()
    _, last = Dates(end_date="2026-01-01T12:00:00+09:00").as_range()
    assert first == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert last == datetime(2026, 1, 1, 3, tzinfo=UTC)


def test_an_offset_whose_plus_became_a_blank_is_understood() -> None:
    dates = Dates(start_date="2026-01-01T12:00:00 00:00")
    assert dates.start_date == "2026-01-01T12:00:00+00:00"
    assert dates.as_range()[0] == datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-02-30", "", "1767225600"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="ISO 8601"):
        Dates(start_date=text)


def test_a_node_stands_under_the_first_of_its_parents() -> None:
    root, other, child = UUID(int=1), UUID(int=2), UUID(int=3)
    tree = tree_of(
        "1.0.0",
        [
            TaxonomyNode(root, "Root", ["Root"], [], 1),
            TaxonomyNode(child, "Child", ["Root", "Child"], [other, root], 2),
            TaxonomyNode(other, "Other", ["Other"], [], 0),
        ],
    )
    assert [(node.label, [below.label for below in node.children]) for node in tree.roots] == [
        ("Root", []),
        ("Other", ["Child"]),
    ]
    assert tree.total_nodes == 3 and tree.roots[1].children[0].document_count == 2
