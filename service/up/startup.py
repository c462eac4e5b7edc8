"""What a person sees while everything starts: one line for each part, with the time it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from service import __version__

NAME_WIDTH, TEXT_WIDTH = 13, 77


class Startup:
    """Prints the lines; silent ones are for machines that read the log instead."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def title(self) -> None:
        """The first line."""
        click.secho(f"Annals {__version__}", bold=True)

    @contextmanager
    def part(self, name: str) -> Iterator[list[str]]:
        """Times the block, then prints the words that it put into the list."""
        words: list[str] = []
        began = time.perf_counter()
        yield words
        took = f"{time.perf_counter() - began:.2f} s"
        text = " ".join(words)
        click.echo(
            f"  {click.style('✓', fg='green')} {click.style(name.ljust(NAME_WIDTH), bold=True)}"
            f"{text.ljust(TEXT_WIDTH)} {click.style(took.rjust(7), dim=True)}"
        )

    def ready(self, hint: str) -> None:
        """The last line."""
        took = time.perf_counter() - self._began
        click.echo(f"{click.style(f'Ready in {took:.1f} s.', bold=True)} {hint}\n")
