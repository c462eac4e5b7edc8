"""What `annals bench --against` refuses before it installs or measures anything."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from service.bench.commands import bench
from service.cli import Context


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--against", "pgqeuer"), "Did you mean pgqueuer? Known are pgqueuer, graphile"),
        (("--against", "pgqueuer,nobody"), "Known are"),
        (("--against", "annals"), "Known are"),
        (("--against", ""), "Known are"),
        (("--chart", "x.svg"), "--against"),
        (("--from", "/nowhere/results.jsonl"), "does not exist"),
        (("--from", __file__, "--against", "postgres"), "takes no workloads"),
        (("--from", __file__, "life"), "takes no workloads"),
        (("--against", "postgres", "--chart", "x.png"), ".svg"),
        (("--against", "postgres", "--chart", "/nowhere/x.svg"), "directory that exists"),
        (("--against", "postgres", "pinned"), "Known are enqueue-1"),
        (("--against", "postgres", "--rounds", "0"), "--rounds"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    def nowhere(_: Path) -> None:
        raise AssertionError("a server was started")

    context = Context({"home": str(tmp_path)}, nowhere)  # type: ignore[arg-type]
    # A terminal as wide as any message, so that none is folded.
    done = CliRunner().invoke(bench, arguments, obj=context, terminal_width=500)
    assert done.exit_code == 2
    assert told in done.output
    assert not list(tmp_path.iterdir())
