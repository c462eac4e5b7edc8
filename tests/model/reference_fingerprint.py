"""The second reading of the rule by which failures are grouped; written from the header of each SQL file."""

import hashlib
import json
import re

Rule = tuple[str, str]

WORD = "A-Za-z0-9"
DATE, CLOCK = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}"
ZONE = r"(?:Z| ?[+-][0-9]{2}:?[0-9]{2})?"
QUOTED = "|".join(
    (
        r'"(?:[^"\\]|\\.)*(?:"|\Z)',
        rf"'(?:[^'\\]|\\.|''|'[{WORD}])*(?:'|\Z)",
        r"`[^`]*`",
    )  # an apostrophe stays in
)
RULES: list[Rule] = [
    (rf"(?<![{WORD}_])[bfru]?(?:{QUOTED})(?![{WORD}_])|“[^”]*”|‘[^’]*’|「[^」]*」", "<text>"),
    (rf"[A-Za-z][{WORD}+.\-]*://[^\s<>\"'),]+", "<url>"),
    (rf"(?<![{WORD}])[0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}(?![{WORD}])", "<uuid>"),
    (
        rf"(?<![0-9])(?:{DATE}(?:[T ]{CLOCK}(?::[0-9]{{2}}(?:[.,][0-9]+)?)?{ZONE})?"
        r"|[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?)(?![0-9])",
        "<time>",
    ),
    (
        rf"(?<![{WORD}_.>/\\~\-])(?:~|\.{{1,2}}|[A-Za-z]:)?[/\\][^\s/\\:,;\"'`()<>|][^\s:,;\"'`()<>|]*",
        "<path>",
    ),
    (rf"(?<![{WORD}_])(?:0x[0-9a-fA-F]+|(?=[a-fA-F]*[0-9])[0-9a-fA-F]{{8,}})(?![{WORD}_])", "<hex>"),
    (
        rf"(?:(?<![{WORD}_>])[-+])?(?<![{WORD}])[0-9]+(?:\.[0-9]+|, ?[0-9]+)*(?:[eE][-+]?[0-9]+)?",
        "<n>",
    ),
    (r"\s+", " "),
]
FRAME = re.compile(r'File "([^"\n]*)", line [^\n]*?, in ([^\n]+)')
LIBRARY = re.compile(
    r"/(site|dist)-packages/|/lib(64)?/python[0-9.]+t?/|/Lib/|^<|/service/(worker|store|model)/"
)


def pattern(message: str) -> str:
    """The message without what changes."""
    if re.match(r"Task timeout exceeded \(.*\)\Z", message, re.DOTALL):
        return "Task timeout exceeded"
    text = message[:1000]
    for rule, placeholder in RULES:
        text = re.sub(rule, placeholder, text, flags=re.ASCII | re.DOTALL)
    return text.strip(" ")[:200]


def frame(traceback: str | None) -> str | None:
    """Innermost frame of one's own, else the innermost."""
    raised = (traceback or "").split("+-+---")[0].split("Traceback (most recent call last):")[-1]
    frames = [(file.replace("\\", "/"), function.strip(" ")) for file, function in FRAME.findall(raised)]
    frames = [each for each in frames if not re.search(r"^<.*comp>", each[1])]
    own = [each for each in frames if not LIBRARY.search(each[0])]
    if not frames:
        return None
    file, function = (own or frames)[-1]
    *directories, name = [part for part in file.split("/") if part][-2:]
    return "/".join([*(re.sub(r"[0-9]+", "<n>", each) for each in directories), name]) + f":{function}"


def fingerprint(task_type: str, error_type: str | None, message: str | None, traceback: str | None) -> str:
    """The id of the group."""
    parts = [task_type, error_type or "", pattern(message or ""), frame(traceback) or ""]
    digest = hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()
    return f"e1-{digest[:12]}"
