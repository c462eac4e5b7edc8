"""What psql reads when it starts: the questions as variables and, at a terminal, manners and a banner.

`:stuck` at the prompt runs questions/stuck.sql. A psql that reads a script or a pipe gets the variables only,
so that what it prints stays as it is. A person's own ~/.psqlrc is read after ours, and so has the last word.
"""

import getopt
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from service.store.queries import load

QUESTIONS = load(__package__, "questions")
# What a question looks back on when nobody says so.
DEFAULTS = {"since": "1 hour"}
# The options of psql as its manual lists them: some take a value, and some make it do something and end.
SHORT = "aAbc:d:eEf:F:h:HlL:no:p:P:qR:sStT:U:v:VwWxXz?01"
LONG = """
    command= dbname= file= field-separator= host= log-file= output= port= pset= record-separator=
    table-attr= username= variable= set= echo-all no-align echo-errors csv echo-queries echo-hidden html
    list no-readline quiet single-step single-line tuples-only version no-password password expanded
    no-psqlrc help single-transaction field-separator-zero record-separator-zero
"""
RUNS_AND_ENDS = {"-c", "--command", "-f", "--file", "-l", "--list", "-V", "--version", "-?", "--help"}


def text(*, manners: bool, own: Path | None = None) -> str:
    """The whole start file; with `own`, the person's one is read in it.

    The banner comes last, and `-q` keeps it away.
    """
    parts = [_file("manners")] if manners else []
    parts += [*_variables(), *([f"\\i {_quoted(str(own))}\n"] if own else [])]
    return "".join([*parts, _file("banner")] if manners else parts)


def is_conversation(arguments: Sequence[str]) -> bool:
    """Whether psql with these arguments asks for input, rather than to run something and end."""
    try:
        options, _ = getopt.gnu_getopt(list(arguments), SHORT, LONG.split())
    except getopt.GetoptError:
        return False  # psql says what is wrong with them
    return not RUNS_AND_ENDS & {name for name, _ in options}


def own_file(program: str) -> Path | None:
    """The start file that this psql would read by itself: of its exact version, its major one, or any."""
    base = Path(os.environ.get("PSQLRC") or "~/.psqlrc").expanduser()
    if any(base.parent.glob(f"{base.name}-*")):
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        if found := re.search(r"\d+(?:\.\d+)?", told):
            versions = [found[0], found[0].split(".")[0]]
            for path in (base.with_name(f"{base.name}-{version}") for version in versions):
                if os.access(path, os.R_OK):
                    return path
    return base if base.is_file() and os.access(base, os.R_OK) else None


def _variables() -> Iterator[str]:
    yield from (f"\\set {name} {_quoted(_statement(name))}\n" for name in sorted(QUESTIONS.texts))
    for name in sorted({name for question in QUESTIONS.texts.values() for name in _needs(question)}):
        default = _quoted(DEFAULTS.get(name, ""))
        yield f"\\if :{{?{name}}}\n\\else\n\\set {name} {default}\n\\endif\n"
    yield f"\\set annals_help {_quoted(_help())}\n"
    yield f"\\set help {_quoted(chr(92) + 'echo :annals_help')}\n"


def _help() -> str:
    lines = []
    for name, question in sorted(QUESTIONS.texts.items()):
        first = question.split("\n", 1)[0].removeprefix("-- ")
        subjects = "".join(
            f"  \\set {subject} ..." for subject in _needs(question) if subject not in DEFAULTS
        )
        lines.append(f"  {f':{name}':12} {first}{subjects}")
    lines += [
        "",
        f"Those about lately look back {DEFAULTS['since']}: \\set since '1 day' changes it.",
        "\\echo :stuck shows the statement behind a question.",
    ]
    return "\n".join(lines)


def _needs(question: str) -> list[str]:
    """The variables that a question takes."""
    return sorted(set(re.findall(r":'(\w+)'", question)))


def _statement(name: str) -> str:
    return QUESTIONS[name].split("\n", 1)[1].strip()


def _file(name: str) -> str:
    text = files(__package__ or "").joinpath("questions", f"{name}.psqlrc").read_text(encoding="utf-8")
    return re.sub(r"%\[.*?%\]", "", text) if os.environ.get("NO_COLOR") else text


def _quoted(value: str) -> str:
    """A value as psql's backslash commands read it; a newline would end the command."""
    escaped = value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{escaped}'"
