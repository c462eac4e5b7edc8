"""Results as JSON lines, and read again: `annals bench --against ... --json >> FILE`, then `--from FILE`.

Before its measurements each queue has one line that says what it is, how it is set up, and on which machine,
server and day; then each measurement is a line.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from service.bench.chart import Heading
from service.bench.comparison import Measured
from service.bench.figures import Figure
from service.bench.peers.catalogue import ALL, Contender
from service.errors import Invalid

Record = dict[str, object]


def of_queue(contender: Contender, settings: str, heading: Heading) -> Record:
    """The line that comes before a queue's measurements."""
    about = {"queue": contender.name, "version": contender.version, "settings": settings}
    return {**about, "machine": heading.machine, "server": heading.server, "date": heading.date}


def of_measurement(one: Measured) -> Record:
    """One measurement."""
    figure = one.figure
    return {
        "queue": one.queue,
        "round": one.round,
        "workload": figure.workload,
        "metric": figure.metric,
        "value": figure.value,
        "unit": figure.unit,
    }


def read(paths: Iterable[Path]) -> tuple[list[Measured], list[Contender], Heading]:
    """What was measured, the queues in the catalogue's order, and what the last of the runs was made on.

    Raises Invalid for what is no such file, and for one without a measurement of ours.
    """
    measured: list[Measured] = []
    heading = Heading("", "", "")
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                record = json.loads(line)
                if "metric" in record:
                    measured.append(_measured(record))
                else:
                    heading = Heading(record["machine"], record["server"], record["date"])
            except (ValueError, KeyError, TypeError) as error:
                hint = "Made by annals bench --against QUEUE,... --json"
                raise Invalid(f"{path}, line {number}, is no result: {error!r}.", hint=hint) from None
    queues = {one.queue for one in measured}
    contenders = [ALL[name] for name in ALL if name in queues]
    if len(contenders) < len(queues) or len(contenders) < 2:
        raise Invalid("The results are not of Annals and queues that are known.", hint=", ".join(ALL))
    return measured, contenders, heading


def _measured(record: Record) -> Measured:
    figure = Figure(
        str(record["workload"]), str(record["metric"]), float(str(record["value"])), str(record["unit"])
    )
    return Measured(str(record["queue"]), int(str(record["round"])), figure)
