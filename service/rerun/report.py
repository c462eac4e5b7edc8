"""What replay-local prints: what the handler did, how it ended, and whether that is how it ended there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import click

from service.model.task import ClaimedTask
from service.rerun.comparison import Comparison, Outcome
from service.rerun.notebook import Note

LONGEST_VALUE = 200
WIDTH = 11


class Report:
    """Lines on `out`, coloured on a terminal; or JSON lines, one for each note and a last one for the end."""

    def __init__(self, out: TextIO, as_json: bool) -> None:
        self._out, self._as_json = out, as_json

    def begin(self, task: ClaimedTask, barred: Sequence[str], differences: Sequence[str]) -> None:
        """What is run, what there is not (in words), and where the code is another."""
        if self._as_json:
            self._json(
                "task", {"task_id": task.task_id, "task_type": task.task_type, "attempt": task.attempt}
            )
            self._each_json("difference", [{"text": text} for text in differences])
            return
        self._print(click.style(f"{task.task_id}  {task.task_type}, attempt {task.attempt}", bold=True))
        self._print(click.style(f"Here: {', '.join(f'no {words}' for words in barred)}.", dim=True))
        for text in differences:
            self._line("other code", text, "yellow")

    def note(self, note: Note) -> None:
        """One thing that the handler did."""
        kind, facts = note
        if self._as_json:
            self._json(kind, facts)
        elif kind == "progress":
            percentage = "" if facts["percentage"] is None else f"{facts['percentage']:.0f} %"
            self._line(kind, f"{percentage:>5}  {facts['step'] or ''}".rstrip(), "cyan")
        else:
            self._line(kind, _short(facts["value"] if kind == "checkpoint" else facts), "cyan")

    def end(self, then: Outcome | None, now: Outcome, refusals: Sequence[str], verdict: Comparison) -> None:
        """How it ended, there and here."""
        if self._as_json:
            self._each_json("recorded", now.records)
            self._each_json("refused", [{"text": text} for text in refusals])
            ends = {"there": then and asdict(then), "here": asdict(now)}
            self._json("outcome", {"same": verdict.is_same, "sentence": verdict.sentence, **ends})
            return
        for record in now.records:
            self._line("recorded", f"{record['type']} {_short(record['data'])}", "cyan")
        for text in dict.fromkeys(refusals):
            self._line("refused", text, "yellow")
        if now.traceback:
            self._print("\n" + now.traceback.rstrip() + "\n")
        self._line("there", _told(then) if then else "never started", "")
        self._line("here", _told(now), "")
        self._print(click.style(verdict.sentence, fg="green" if verdict.is_same else "red", bold=True))
        if refusals and not verdict.is_same:
            self._print("Something was refused here; that may be all of the difference.")

    def _line(self, name: str, text: str, colour: str) -> None:
        self._print(f"  {click.style(name.ljust(WIDTH), fg=colour or None, dim=not colour)} {text}")

    def _print(self, text: str) -> None:
        click.echo(text, file=self._out, color=self._out.isatty())
        self._out.flush()

    def _json(self, kind: str, facts: Mapping[str, Any]) -> None:
        self._print(json.dumps({"kind": kind, **facts}, ensure_ascii=False, default=str))

    def _each_json(self, kind: str, many: Sequence[Mapping[str, Any]]) -> None:
        for facts in many:
            self._json(kind, facts)


def refusals_in(notes: Path) -> list[str]:
    """What the guard has refused, in order."""
    return notes.read_text(errors="replace").splitlines() if notes.exists() else []


def _told(outcome: Outcome) -> str:
    words = outcome.kind.replace("_", " ")
    took = "" if outcome.duration_ms is None else f" after {outcome.duration_ms:,.0f} ms"
    if outcome.kind == "completed":
        return f"{words}{took}" + ("" if outcome.result is None else f": {_short(outcome.result)}")
    why = ": ".join(part for part in (outcome.error_type, _short(outcome.message)) if part)
    return f"{words}{took}" + (f"  {why}" if why else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
