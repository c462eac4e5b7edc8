"""Which event contradicts a row, and since when: from the states that the fold of its stream goes through.

A row that is wrong is either an old one (it equals the state after an earlier event: a fold was missed, or
events were added to the log), or it has values that no event gave it (the row was changed, or an event was).
Both sides are named, because the log alone cannot tell which of them was tampered with.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from service.audit.findings import Claim, Finding, Row, kind_of

# A line for a person; --json has every claim.
CLAIMS_TOLD, COLUMNS_TOLD, VALUE_LENGTH = 3, 5, 48
Steps = Sequence[Mapping[str, Any]]


def finding_of(read_model: str, stream: str, row: Mapping[str, Any], steps: Steps = ()) -> Finding:
    """The finding for a row of compare_shadow; `steps` are the row's states, from row_states, when known."""
    kept, folded = row["kept"], row["folded"]
    kind = kind_of(kept, folded)
    if kept is None or folded is None:
        words = _made(read_model, stream, steps) if kept is None else _not_made(read_model, stream, steps)
        return Finding(kind, read_model, stream, row["row_key"], words)
    claims = tuple(_claim(name, kept, folded, steps) for name in differing_columns(kept, folded))
    columns = tuple(claim.column for claim in claims)
    version, unexplained = explain(kept, [(step["version"], step["state"]) for step in steps])
    if steps and _saw_more(kept, folded):
        words = (
            f"{read_model} has seen event {kept['version']}; the log ends with {_named(steps[-1], stream)}"
        )
    elif version is not None:
        words = _outdated(read_model, stream, kept, columns, steps)
    else:
        words = _contradiction(read_model, claims, kept, unexplained)
    return Finding(kind, read_model, stream, row["row_key"], words, columns, version, unexplained, claims)


def differing_columns(kept: Row, folded: Row) -> tuple[str, ...]:
    """Columns in which a row and its fold differ."""
    return tuple(sorted(name for name in folded if kept.get(name) != folded[name]))


def explain(kept: Row, states: Sequence[tuple[int, Row | None]]) -> tuple[int | None, tuple[str, ...]]:
    """The last version whose state equals the row, else the columns that no version explains.

    `states` are (version, row after it) in order. A row may be explained column by column and yet equal
    no version: then both are empty, it is a mixture of states. Without states nothing is explained.
    """
    last: int | None = None
    unseen = set(kept) if states else set()
    for version, state in states:
        if state is None:
            continue
        unseen -= {name for name in unseen if state.get(name) == kept[name]}
        if state == kept:
            last = version
    return last, tuple(sorted(unseen)) if last is None else ()


def _claim(column: str, kept: Row, folded: Row, steps: Steps) -> Claim:
    giver, before = None, None
    for step in steps:
        state = step["state"]
        if state is not None and (before is None or before.get(column) != state.get(column)):
            giver = step
        before = state
    if giver is None:
        return Claim(column, kept.get(column), folded[column])
    event = giver["version"], giver["type"], giver["position"]
    return Claim(column, kept.get(column), folded[column], *event)


def _saw_more(kept: Row, folded: Row) -> bool:
    """Whether the row is the head of its stream, and further than the log."""
    return "version" in folded and kept["version"] > folded["version"]


def _made(read_model: str, stream: str, steps: Steps) -> str:
    maker, before = None, None
    for step in steps:
        maker = step if before is None and step["state"] is not None else maker
        before = step["state"]
    return f"{_named(maker, stream) if maker else 'the log'} makes the row; {read_model} has none"


def _not_made(read_model: str, stream: str, steps: Steps) -> str:
    taker, before = None, None
    for step in steps:
        taker = step if before is not None and step["state"] is None else taker
        before = step["state"]
    if taker is None:
        return f"no event makes the row; {read_model} has it"
    return f"{_named(taker, stream)} takes the row away; {read_model} still has it"


def _outdated(read_model: str, stream: str, kept: Row, columns: Sequence[str], steps: Steps) -> str:
    at = max(n for n, step in enumerate(steps) if step["state"] == kept)
    unseen = f", and does not know {_named(steps[at + 1], stream)}" if at + 1 < len(steps) else ""
    more = f" and {len(columns) - COLUMNS_TOLD} more" if len(columns) > COLUMNS_TOLD else ""
    told = ", ".join(columns[:COLUMNS_TOLD]) + more
    return f"{read_model} is as after {_named(steps[at], stream)}{unseen}: {told}"


def _contradiction(read_model: str, claims: Sequence[Claim], kept: Row, unexplained: Sequence[str]) -> str:
    said: dict[str, list[str]] = {}
    for claim in claims[:CLAIMS_TOLD]:
        said.setdefault(_event(claim), []).append(f"{claim.column} {_value(claim.log)}")
    log = "; ".join(f"{event} says {', '.join(values)}" for event, values in said.items())
    row = ", ".join(f"{claim.column} {_value(claim.row)}" for claim in claims[:CLAIMS_TOLD])
    since = f" since position {kept['changed_position']}" if kept.get("changed_position") else ""
    more = f" (and {len(claims) - CLAIMS_TOLD} more columns)" if len(claims) > CLAIMS_TOLD else ""
    never = f"; no version explains {', '.join(unexplained)}" if unexplained else ""
    return f"{log}; {read_model} says {row}{since}{more}{never}"


def _event(claim: Claim) -> str:
    if claim.version is None:
        return "the log"
    return f"event {claim.version} ({claim.type}, position {claim.position})"


def _named(step: Mapping[str, Any], stream: str) -> str:
    """An event in words; that of another stream, which reaches into this one, with its stream."""
    owner = "" if step["stream"] == stream else f" of {step['stream']}"
    return f"event {step['version']}{owner} ({step['type']}, position {step['position']})"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 1] + "…"
