"""What PostgreSQL wrote to its log, record by record: told by pg_waldump, which belongs to every server."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from service.embedded import Server

RECORD = re.compile(
    r"rmgr: (?P<manager>\w+) +len \(rec/tot\): +\d+/ *(?P<bytes>\d+), tx: +(?P<tx>\d+), "
    r"lsn: (?P<lsn>[0-9A-F/]+), prev \S+, desc: (?P<kind>[\w+]+)(?P<more>.*)"
)
RELATION = re.compile(r"blkref #0: rel (\d+/\d+/\d+)")
LEAF = re.compile(r"level:? 0\b")
TUPLES = re.compile(r"ntuples: (\d+)")
# Written by the server for itself, now and then, whoever works.
OWN = "Standby"


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `relation` is tablespace/database/file of its first block; `more` is the description."""

    lsn: int
    manager: str
    kind: str
    bytes: int
    relation: str | None
    more: str

    @property
    def rows(self) -> int:
        """How many rows it is about."""
        many = TUPLES.search(self.more) if self.kind == "MULTI_INSERT" else None
        return int(many[1]) if many else 1

    @property
    def is_entry(self) -> bool:
        """Whether it adds an entry to a B-tree: on a page with room, or by splitting a page of leaves."""
        if self.manager != "Btree" or not self.kind.startswith(("INSERT", "SPLIT")):
            return False
        return self.kind in ("INSERT_LEAF", "INSERT_POST") or LEAF.search(self.more) is not None


def position(lsn: str) -> int:
    """A position as a number; it is told in two hexadecimal halves."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def records(server: Server, start: str, end: str) -> Iterator[Record]:
    """Everything between two positions, which must have been flushed."""
    told = subprocess.run(
        [server.tool("pg_waldump"), "-p", server.data_dir / "pg_wal", "-s", start, "-e", end],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in told.stdout.splitlines():
        found = RECORD.match(line)
        assert found, f"pg_waldump speaks another way: {line}"
        if found["manager"] == OWN:
            continue
        relation = RELATION.search(found["more"])
        yield Record(
            position(found["lsn"]),
            found["manager"],
            _one_name(found["kind"]),
            int(found["bytes"]),
            relation[1] if relation else None,
            found["more"],
        )


def _one_name(kind: str) -> str:
    """The kind as all versions name it, whether or not its page is new, to whichever side it splits."""
    return next((name for name in ("PRUNE", "SPLIT") if kind.startswith(name)), kind.removesuffix("+INIT"))
