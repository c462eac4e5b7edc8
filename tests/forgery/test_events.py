"""Each forgery of the log that the read models contradict is found by a verify, and named.

All victims live in one database and one verify looks at all of them: what is found of one is not hidden by
another. What no read model contradicts is listed too, with nothing found: seals are to change that.
"""

import re
from pathlib import Path
from string import Template

import pytest

from service.audit.findings import Finding
from tests.forgery.events import FORGERIES, Forgery
from tests.forgery.victims import Lives, agent_id, verified

UNLOCKED = (
    "ALTER TABLE events DISABLE TRIGGER USER",
    "ALTER TABLE events DROP CONSTRAINT events_pkey, DROP CONSTRAINT one_event_per_version",
    "CREATE INDEX events_pkey ON events (position)",
    "CREATE INDEX one_event_per_version ON events (stream_type, stream_id, version)",
)
# Name, and below it, indented, a line for each finding: kind, read model, columns: explanation. N stands for
# positions, times and fingerprints.
SECTIONS = re.findall(
    r"^(\w+)\n((?:    .+\n)*)", (Path(__file__).parent / "found.txt").read_text(), re.MULTILINE
)
FOUND = {name: [line.strip() for line in lines.splitlines()] for name, lines in SECTIONS}


def victim(forgery: Forgery) -> str:
    return agent_id(forgery.name) if forgery.stream_type == "agent" else forgery.name


def forge(lives: Lives, forgery: Forgery) -> None:
    early, late = (stage.pop() for stage in lives.spare)
    words = {"v": victim(forgery), "type": forgery.stream_type, "other": f"{forgery.name}-other"}
    for statement in Template(forgery.statements).substitute(words, early=early, late=late).split("\n"):
        lives.run(statement)


def told(forgery: Forgery, finding: Finding) -> str:
    """A finding as the table has it: without numbers that depend on what lived before."""
    text = f"{finding.kind} {finding.read_model} {'+'.join(finding.columns)}: {finding.explanation}"
    text = text.replace(" :", ":").replace(victim(forgery), "$v")
    return re.sub(r"(?<=position )\d+|\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)|\be\d-[0-9a-f]{12}", "N", text)


@pytest.fixture(scope="module")
def findings(module_database: str) -> list[Finding]:
    """What one verify finds after all forgeries; nothing before them."""
    lives = Lives(module_database)
    lives.run("SELECT start_worker('w', 'h', 1, '{default}', '{noop}', 4)")
    tasks = [forgery.name for forgery in FORGERIES if forgery.stream_type == "task"]
    told = [forgery.name for forgery in FORGERIES if forgery.stream_type == "webhook"]
    lives.tasks([*tasks, *(f"{name}-other" for name in tasks), *told])
    lives.others(forgery.name for forgery in FORGERIES if forgery.stream_type != "task")
    assert verified(module_database) == []
    for statement in UNLOCKED:
        lives.run(statement)
    for forgery in FORGERIES:
        forge(lives, forgery)
    lives.close()
    return verified(module_database)


def of(forgery: Forgery, findings: list[Finding]) -> list[str]:
    ids = {victim(forgery), f"{forgery.name}-other", f"{forgery.name}-added"}
    return [told(forgery, finding) for finding in findings if finding.stream.split("/", 1)[1] in ids]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_it_is_found_and_named(findings: list[Finding], forgery: Forgery) -> None:
    assert of(forgery, findings) == FOUND[forgery.name]


def test_nothing_else_is_found(findings: list[Finding]) -> None:
    assert len(findings) == sum(map(len, FOUND.values()))


def test_what_is_found_is_written_down_for_every_forgery() -> None:
    assert list(FOUND) == [forgery.name for forgery in FORGERIES]
