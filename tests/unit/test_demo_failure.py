"""The demo's task with a mistake: it reads two packages and fails at the third, on every machine."""

from dataclasses import asdict
from typing import Any

import pytest

from service.demo import packages
from service.demo.handlers import Package, supported_pythons


class Given:
    """What the handler looks at of its context."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = Package(**params)


def answer(params: dict[str, Any]) -> str:
    return supported_pythons(Given(params))  # type: ignore[arg-type]


def package(name: str, *labels: str) -> dict[str, Any]:
    return asdict(Package(name, [packages.ROOT + label for label in labels]))


def test_the_installed_packages_give_two_answers_and_a_failure() -> None:
    first, second, third = packages.chosen(packages.installed())
    for readable in (first, second):
        assert " to 3." in answer(readable)
    with pytest.raises(ValueError, match="invalid literal for int"):
        answer(third)


def test_the_span_prefers_exact_versions_and_counts_them_as_numbers() -> None:
    assert answer(package("a", "3", "3.9", "3.10")) == "3.9 to 3.10"
    assert answer(package("a", "2", "3")) == "2 to 3"


def test_packages_that_are_always_there_come_first_and_one_of_each_kind_is_enough() -> None:
    found = [package("aa", "3.9"), package("rich", "3.9"), package("zz"), package("bb", "3 :: Only")]
    assert [one["name"] for one in packages.chosen(found)] == ["rich", "aa", "bb"]
    assert packages.chosen([package("zz")]) == []
