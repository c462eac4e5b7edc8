"""All queues on all workloads, round by round: ours, theirs, ours, so that noise hits all alike."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import click

from service.bench.agents import PeerFailed
from service.bench.chart import Heading
from service.bench.comparison import Measured
from service.bench.install import Program, install
from service.bench.peers.catalogue import Contender
from service.bench.place import Place, place
from service.bench.races import Race
from service.bench.records import of_measurement, of_queue
from service.bench.scratch import Scratch, empty
from service.bench.workloads import Size
from service.cli import Context, emit_json_lines


@dataclass
class Contest:
    """What is to be measured, and what was so far: it can be shown at any time, also after a failure."""

    context: Context
    contenders: Sequence[Contender]
    races: Mapping[str, Race]
    heading: Heading
    size: Size
    rounds: int
    measured: list[Measured] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    # By queue: the rows of each table after the last life.
    left: dict[str, dict[str, int]] = field(default_factory=dict)

    async def run(self, dsn: str) -> bool:
        """Install, prepare, measure; databases are dropped in the end. Raises InstallFailed, PeerFailed."""
        with ExitStack() as stack:
            prepared = []
            for contender in self.contenders:
                program = await install(contender, self.context.settings.home, self._tell)
                scratch = stack.enter_context(empty(dsn))
                await self._prepare(contender, program, scratch)
                prepared.append((contender, program, scratch))
            for number in range(1, self.rounds + 1):
                for name in self.races:
                    for entry in prepared:
                        await self._measure(number, name, *entry)
        return True

    async def _prepare(self, contender: Contender, program: Program, scratch: Scratch) -> None:
        where = Place(contender, program, scratch.template_dsn)
        async with where.agent() as agent:
            await agent.call("setup")
            settings = agent.settings
        # Until nobody is connected: only then it can be copied.
        await where.counts()
        self._tell(f"{contender.title} {contender.version}".rstrip() + f": {settings}")
        if self.context.as_json:
            emit_json_lines([of_queue(contender, settings, self.heading)])

    async def _measure(
        self, number: int, name: str, contender: Contender, program: Program, scratch: Scratch
    ) -> None:
        told = f"  round {number} of {self.rounds}  {name:<12} {contender.name:<13} "
        try:
            with place(contender, program, scratch) as where:
                await where.prepare()
                figures = await self.races[name](where, self.size)
        except PeerFailed as error:
            self.failures.append(f"{contender.title}, {name}, round {number}: {error.message}")
            self._tell(f"{told}failed")
            return
        if where.left is not None:
            self.left[contender.name] = where.left
        found = [Measured(contender.name, number, figure) for figure in figures]
        self.measured += found
        if self.context.as_json:
            emit_json_lines(map(of_measurement, found))
        self._tell(f"{told}{figures[0].metric} {figures[0].value:,.0f} {figures[0].unit}")

    def _tell(self, text: str) -> None:
        # With --json too a person waits; the measurements alone are the output then.
        click.echo(text, err=self.context.as_json)

    def remains(self) -> Iterator[str]:
        """What each queue keeps of what is done, one line each, when a life was measured."""
        for contender in self.contenders:
            if contender.name in self.left:
                left = self.left[contender.name].items()
                # Of a table with less than a row for 100 tasks, the rows are no tasks.
                tables = [f"{table} {rows:,}" for table, rows in left if rows * 100 >= self.size.tasks]
                yield f"{contender.title} keeps {', '.join(tables) or 'nothing'}"
