"""Queues beside each other: medians, ratios, who is best, and the picture of it."""

from xml.etree import ElementTree

import pytest

from service.bench.chart import Heading, draw
from service.bench.comparison import Line, Measured, columns, compare, number, row
from service.bench.figures import Figure, edges
from service.bench.peers.catalogue import ANNALS, OTHERS, Contender

GRAPHILE, PGQUEUER, POSTGRES = OTHERS["graphile"], OTHERS["pgqueuer"], OTHERS["postgres"]
ALL = [ANNALS, PGQUEUER, GRAPHILE, POSTGRES]
HEADING = Heading("2 processors, <some> & more", "PostgreSQL 18", "2026-01-31")


def rates(queue: str, *values: float, metric: str = "rate", unit: str = "tasks/s") -> list[Measured]:
    """The same figure of one queue in so many rounds."""
    return [
        Measured(queue, turn, Figure("drain", metric, value, unit)) for turn, value in enumerate(values, 1)
    ]


def only(lines: list[Line]) -> Line:
    (line,) = lines
    return line


DRAIN = [
    *rates("annals", 30, 20, 40),
    *rates("pgqueuer", 20, 10, 21),
    *rates("graphile", 60, 61, 50),
    *rates("postgres", 90, 80, 85),
]


def test_a_ratio_is_that_of_the_medians() -> None:
    line = only(compare(DRAIN))
    assert (line.ratio("pgqueuer"), line.ratio("graphile")) == (1.5, 0.5)
    assert line.ratio("nobody") is None


def test_the_best_other_is_a_queue_and_no_limit() -> None:
    assert only(compare(DRAIN)).best_other(ALL) == "graphile"
    assert only(compare(DRAIN)).best_other([ANNALS, PGQUEUER]) == "pgqueuer"
    assert only(compare(DRAIN)).best_other([ANNALS, POSTGRES]) is None


def test_of_a_latency_the_lowest_is_best() -> None:
    told = [
        *rates("annals", 3, unit="ms"),
        *rates("pgqueuer", 2, unit="ms"),
        *rates("graphile", 4, unit="ms"),
    ]
    line = only(compare(told))
    assert (line.better, line.best_other(ALL), line.ratio("pgqueuer")) == ("less", "pgqueuer", 1.5)


def test_nobody_is_best_at_keeping_rows() -> None:
    told = [
        *rates("annals", 5, metric="rows kept", unit="rows/task"),
        *rates("graphile", 0, metric="rows kept", unit="rows/task"),
    ]
    line = only(compare(told))
    assert (line.better, line.best_other(ALL), line.ratio("graphile")) == ("", None, None)


def test_nothing_is_divided_by_zero() -> None:
    line = only(compare([*rates("annals", 5), *rates("graphile", 0)]))
    assert line.ratio("graphile") is None


def test_a_row_has_a_cell_for_each_column() -> None:
    cells = dict(zip(columns(ALL), row(only(compare(DRAIN)), ALL), strict=True))
    assert cells == {
        "workload": "drain",
        "metric": "rate",
        "unit": "tasks/s",
        "better": "more",
        "annals": "30.0 (20.0-40.0)",
        "pgqueuer": "20.0 (10.0-21.0)",
        "graphile": "60.0 (50.0-61.0)",
        "postgres": "85.0 (80.0-90.0)",
        "best other": "graphile",
        "annals / best": "0.50",
        "annals / pgqueuer": "1.50",
        "annals / graphile": "0.50",
        "annals / postgres": "0.35",
    }


def test_a_queue_that_failed_leaves_its_cells_empty() -> None:
    cells = dict(zip(columns(ALL), row(only(compare(rates("annals", 7))), ALL), strict=True))
    assert (cells["annals"], cells["graphile"], cells["annals / best"]) == ("7.00", "-", "-")


@pytest.mark.parametrize(
    ("value", "text"),
    [(61234.5, "61,234"), (99.94, "99.9"), (2.345, "2.35"), (0.0053, "0.0053"), (0, "0.00")],
)
def test_numbers_keep_the_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_the_first_and_last_tenth_of_a_steady_churn_are_alike() -> None:
    ends = [0.5 * turn for turn in range(1, 201)]
    assert edges(ends, 100) == pytest.approx((200.0, 200.0))


def test_a_churn_that_slows_down_shows_it_in_its_last_tenth() -> None:
    # 90 turns of one second and ten of two, then nine more of ten seconds.
    ends = [float(turn) for turn in range(1, 91)] + [100.0]
    assert edges(ends, 50) == pytest.approx((50.0, 5.0))


def test_a_churn_of_one_turn_has_one_rate() -> None:
    assert edges([2.0], 100) == pytest.approx((50.0, 50.0))


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_picture_says_what_was_measured_where_and_when() -> None:
    found = texts(draw(compare(DRAIN), ALL, HEADING))
    assert "2026-01-31, 2 processors, <some> & more" in found and "PostgreSQL 18" in found
    assert "Drain, one worker processtasks/s" in found
    assert found.count("0.50 × Graphile Worker") == 1
    assert [found.index(contender.title) for contender in ALL] == sorted(map(found.index, map(title, ALL)))
    assert {"30.0", "20.0", "60.0", "85.0"} <= set(found)


def title(contender: Contender) -> str:
    return contender.title


def test_bars_are_as_long_as_their_medians() -> None:
    root = ElementTree.fromstring(draw(compare(DRAIN), ALL, HEADING))
    bars = [float(bar.get("width", 0)) for bar in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert [length / bars[0] for length in bars] == pytest.approx([1, 2 / 3, 2, 85 / 30], abs=0.01)


def test_everything_drawn_lies_within_the_picture() -> None:
    root = ElementTree.fromstring(draw(compare(DRAIN), ALL, HEADING))
    width, height = map(float, root.get("viewBox", "").split()[2:])
    for bar in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(bar.get("x", 0)) + float(bar.get("width", 0)) < width
        assert float(bar.get("y", 0)) + float(bar.get("height", 0)) < height


def test_a_picture_of_many_queues_has_a_short_title() -> None:
    everybody = [ANNALS, *OTHERS.values()]
    assert f"Annals beside {len(OTHERS) - 1} other queues" in texts(draw(compare(DRAIN), everybody, HEADING))


def test_what_has_no_place_in_the_picture_is_left_out() -> None:
    svg = draw(compare(rates("annals", 5, metric="transactions", unit="tx/task")), ALL, HEADING)
    assert "tx/task" not in svg
