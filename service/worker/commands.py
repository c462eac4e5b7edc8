"""The command `annals worker`."""

import asyncio

import click

from service import lifecycle, log
from service.cli import Context
from service.worker.crew import run_crew
from service.worker.loading import import_modules
from service.worker.registry import DEFAULT
from service.worker.worker import serve


@click.command()
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="A module with tasks of your own.")
@click.option("--queues", metavar="A,B", help="Queues to serve.")
@click.option("--concurrency", type=click.IntRange(1), help="Tasks at once, per process.")
@click.option("--processes", type=click.IntRange(1), help="Worker processes.")
@click.pass_obj
def worker(
    context: Context,
    imports: tuple[str, ...],
    queues: str | None,
    concurrency: int | None,
    processes: int | None,
) -> None:
    """Run tasks until SIGINT or SIGTERM; then finish what runs, release the rest and end.

    \b
    Example: annals worker --import mypackage.tasks --queues default,mail --concurrency 50
    """
    context.override(
        worker__imports=list(imports) or None,
        worker__queues=queues,
        worker__concurrency=concurrency,
        worker__processes=processes,
    )
    settings = context.settings
    log.setup(settings.log)
    import_modules([*(f"{subject}.handlers" for subject in context.subjects), *settings.worker.imports])
    with context.database() as dsn:

        async def main(shutdown: asyncio.Event) -> int:
            if settings.worker.processes > 1:
                return await run_crew(context, dsn, shutdown)
            return await serve(settings, dsn, DEFAULT, shutdown)

        code = lifecycle.run(main)
    click.get_current_context().exit(code)
