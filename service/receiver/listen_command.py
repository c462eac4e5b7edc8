"""The command `annals webhooks listen`."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import click

from service import lifecycle
from service.cli import Context, emit_json_lines, json_option
from service.errors import AnnalsError, DatabaseUnavailable, Invalid
from service.receiver.answers import FAILED, Answers
from service.receiver.arrival import Arrival
from service.receiver.ledger import spell
from service.receiver.secrets import GivenKeys, StoredKeys
from service.receiver.server import Keys, Receiver
from service.store.console import opened

STATUS = click.IntRange(200, 599)
UNVERIFIED = "Nothing is verified: no --secret was given, and there is no database yet (annals up makes one)."


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="0: a free one.")
@click.option(
    "--secret", "secrets", multiple=True, metavar="WHSEC", help="Verify with this one; may be repeated."
)
@click.option("--fail", type=STATUS, metavar="STATUS", help="Answer everything with this status, as 503.")
@click.option("--fail-first", type=click.IntRange(0), default=0, metavar="N", help="Of each delivery.")
@click.option("--fail-rate", type=click.FloatRange(0, 1), default=0.0, metavar="SHARE", help="As 0.2.")
@click.option(
    "--status",
    type=STATUS,
    metavar="STATUS",
    help="What --fail-first and --fail-rate answer [503]; without them, what everything is answered.",
)
@click.option(
    "--delay", type=click.FloatRange(0, 3600), default=0.0, metavar="SECONDS", help="Before each answer."
)
@click.option("--hang", is_flag=True, help="Never answer.")
@json_option
@click.pass_obj
def listen(
    context: Context,
    host: str,
    port: int,
    secrets: tuple[str, ...],
    fail: int | None,
    fail_first: int,
    fail_rate: float,
    status: int | None,
    delay: float,
    hang: bool,
) -> None:
    """Receive webhooks, verify them and tell of each, until Ctrl-C sums up.

    Signatures are verified with --secret, else with what the database signs with. A webhook-id that was
    taken before is a duplicate; numbers of webhook-sequence that do not come are a gap. Exit code 1 when
    a number is missing at the end, or a signature was bad.

    \b
    Example: annals webhooks listen --port 9000
             annals webhooks listen --fail-first 2
             annals webhooks listen --fail 410 --json | jq .webhook_id
    """
    picky = bool(fail_first or fail_rate)
    answers = Answers(
        always=fail if fail is not None or picky else status,
        first=fail_first,
        rate=fail_rate,
        failure=status or FAILED,
        delay_seconds=delay,
        hang=hang,
    )
    with ExitStack() as stack:
        dsn = None if secrets else _reachable(context, stack)
        given = _given(secrets)

        async def main(stop: asyncio.Event) -> int:
            async with _keys(context, dsn, given) as keys:
                return await _receive(context, Receiver(keys, answers, _teller(context)), host, port, stop)

        code = lifecycle.run(main)
    click.get_current_context().exit(code)


async def _receive(context: Context, receiver: Receiver, host: str, port: int, stop: asyncio.Event) -> int:
    async with receiver.receiving(host, port) as found:
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"Receiving at http://{shown}:{found}/ (any path). Ctrl-C sums up.", err=True)
        await stop.wait()
    return _sum_up(context, receiver)


def _sum_up(context: Context, receiver: Receiver) -> int:
    counts, missing = receiver.counts, receiver.ledger.missing()
    gaps = {endpoint: [spell(each) for each in ranges] for endpoint, ranges in missing.items()}
    names = ("received", "verified", "unverified", "bad", "retry", "duplicate", "refused")
    summary = {name: counts[name] for name in names} | {"deliveries": receiver.ledger.deliveries}
    if context.as_json:
        emit_json_lines([{"summary": summary | {"missing": gaps}}])
        return int(bool(gaps or counts["bad"]))
    context.say("")
    context.table("Received", list(summary), [list(summary.values())])
    for endpoint, ranges in gaps.items():
        context.say(click.style(f"Missing at {endpoint}: {', '.join(ranges)}", fg="red"))
    return int(bool(gaps or counts["bad"]))


def _teller(context: Context) -> Callable[[Arrival], None]:
    def tell(arrival: Arrival) -> None:
        if context.as_json:
            emit_json_lines([arrival.record()])
        else:
            click.echo(arrival.line())
            sys.stdout.flush()

    return tell


def _given(secrets: tuple[str, ...]) -> GivenKeys:
    try:
        return GivenKeys(secrets)
    except Invalid as error:
        # The value itself is a secret: not shown.
        raise Invalid(
            f"--secret: {error.message}", hint="Show one with: annals webhooks secret show"
        ) from None


def _reachable(context: Context, stack: ExitStack) -> str | None:
    """The DSN of the database; None when there is none yet, or it cannot be reached.

    An embedded server that was never started is not made for this: it would be there only for a secret.
    """
    settings = context.settings
    if settings.database.url is None and not (settings.home / "postgres").exists():
        return None
    try:
        return stack.enter_context(context.database())
    except AnnalsError:
        return None


@asynccontextmanager
async def _keys(context: Context, dsn: str | None, given: GivenKeys) -> AsyncIterator[Keys]:
    """Those of the command line, else of the database; says so when there are none."""
    async with AsyncExitStack() as stack:
        keys: Keys = given
        if dsn is not None:
            with contextlib.suppress(DatabaseUnavailable):
                db = await stack.enter_async_context(opened(context.settings, dsn))
                keys = StoredKeys(db)
                # Here a schema of another release is told; later it would be an error for each arrival.
                await keys.of("")
        if keys is given and not await given.of(""):
            click.echo(UNVERIFIED, err=True)
        yield keys
