"""Results written as JSON lines are read again, from one run or several, and nothing else is."""

import json
from pathlib import Path

import pytest

from service.bench.chart import Heading
from service.bench.comparison import Measured
from service.bench.figures import Figure
from service.bench.peers.catalogue import ANNALS, OTHERS
from service.bench.records import of_measurement, of_queue, read
from service.errors import Invalid

HEADING = Heading("2 processors", "PostgreSQL 18", "2026-01-31")


def written(path: Path, *measured: Measured, heading: Heading = HEADING) -> Path:
    about = [of_queue(contender, "fast", heading) for contender in (ANNALS, OTHERS["pgqueuer"])]
    records = [*about, *map(of_measurement, measured)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def measured(queue: str, workload: str, value: float = 1.5) -> Measured:
    return Measured(queue, 1, Figure(workload, "rate", value, "tasks/s"))


def test_several_runs_are_one_comparison(tmp_path: Path) -> None:
    later = Heading("4 processors", "PostgreSQL 18", "2026-02-01")
    drains = [measured("pgqueuer", "drain"), measured("annals", "drain", 2.25)]
    churns = [measured("annals", "churn"), measured("pgqueuer", "churn")]
    files = [written(tmp_path / "a", *drains), written(tmp_path / "b", *churns, heading=later)]
    assert read(files) == ([*drains, *churns], [ANNALS, OTHERS["pgqueuer"]], later)


@pytest.mark.parametrize(
    "text",
    ["nonsense", "[]", "7", "{}", '{"metric": "rate"}', '{"queue": "annals", "workload": "drain"}'],
)
def test_what_is_no_result_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = written(tmp_path / "a", measured("annals", "drain"), measured("pgqueuer", "drain"))
    path.write_text(path.read_text() + text)
    with pytest.raises(Invalid, match="line 5, is no result"):
        read([path])


@pytest.mark.parametrize("queues", [(), ("annals",), ("annals", "somebody")])
def test_results_of_nobody_to_compare_with_are_refused(tmp_path: Path, queues: tuple[str, ...]) -> None:
    path = written(tmp_path / "a", *(measured(queue, "drain") for queue in queues))
    with pytest.raises(Invalid, match="not of Annals and queues that are known"):
        read([path])
