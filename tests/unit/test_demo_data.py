"""What the demo sends: a tree of classifiers, and documents classified by their authors."""

import json
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from service.demo import documents, scenario, taxonomy


class Made(Distribution):
    """A distribution with the metadata a test gives it."""

    def __init__(self, metadata: str) -> None:
        self._text = metadata

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        return Path("/") / path


def test_a_classifier_brings_its_ancestors_and_parents_come_first() -> None:
    tree = taxonomy.nodes(["Framework :: Django :: 5.0", "Framework"])
    assert [node["canonical_path"] for node in tree] == [
        ["Framework"],
        ["Framework", "Django"],
        ["Framework", "Django", "5.0"],
    ]
    assert [node["parents"] for node in tree] == [[], [tree[0]["node_id"]], [tree[1]["node_id"]]]


def test_the_tree_of_all_classifiers_is_whole() -> None:
    tree = taxonomy.nodes(taxonomy.classifiers())
    ids = [node["node_id"] for node in tree]
    assert len(set(ids)) == len(ids) > 800
    seen: set[str] = set()
    for node in tree:
        assert seen.issuperset(node["parents"])
        seen.add(node["node_id"])


def test_node_ids_are_the_same_in_every_run() -> None:
    assert taxonomy.node_id(("Framework", "Pytest")) == "ec871399-2584-5286-8cfd-b5d9f92e2953"


def test_confidence_fades_towards_the_root_and_the_nearest_classifier_wins() -> None:
    found = documents.classification(["Topic :: Internet :: WWW/HTTP", "Topic :: Internet"])
    confidence = {topic["node_id"]: topic["confidence"] for topic in found}
    assert confidence == {
        taxonomy.node_id(("Topic", "Internet", "WWW/HTTP")): 1.0,
        taxonomy.node_id(("Topic", "Internet")): 1.0,
        taxonomy.node_id(("Topic",)): 0.9,
    }


@pytest.mark.parametrize(
    "metadata",
    [
        "Name: x\nVersion: 1\nSummary: Short\n\nLong text\n",
        "Name: x\nSummary: Short\nDescription: Long text\n",
    ],
    ids=["body", "field"],
)
def test_the_long_description_is_found_where_the_metadata_has_it(metadata: str) -> None:
    assert documents.document_of(Made(metadata))["text"] == "Short\n\nLong text"


def test_text_that_postgresql_refuses_is_repaired() -> None:
    assert documents.cleaned("b\0c\udcff") == "bc?"


def test_installed_distributions_become_documents_once_each() -> None:
    found = documents.installed()
    titles = [document["title"] for document in found]
    assert {"aiohttp", "click", "rich"} <= set(titles)
    assert len(titles) == len(set(titles))
    json.dumps(found)


def test_batches_are_bounded_and_keep_order() -> None:
    texts = [{"text": "x" * length} for length in (10, 500_000, 10, 10)]
    groups = list(documents.batches(texts))
    assert [document for group in groups for document in group] == texts
    assert [len(group) for group in groups] == [1, 1, 2]


def test_classifiers_that_the_tree_lacks_are_left_out() -> None:
    given = [{"title": "x", "taxonomy": [{"node_id": "a"}, {"node_id": "b"}]}]
    assert documents.known_only(given, {"a"}) == [{"title": "x", "taxonomy": [{"node_id": "a"}]}]


def test_every_agent_covers_real_nodes() -> None:
    known = {node["node_id"] for node in taxonomy.nodes(taxonomy.classifiers())}
    for plan in scenario.AGENTS:
        assert known.issuperset(plan.node_ids), plan.name
