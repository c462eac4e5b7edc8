"""What a verify finds, and the words for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Row = Mapping[str, Any]
Kind = Literal["differs", "missing", "surplus", "stray", "hole", "unfoldable"]

MEANINGS: Mapping[Kind, str] = {
    "differs": "the row is not what the log says",
    "missing": "the log says there is a row, and there is none",
    "surplus": "there is a row that the log says is gone",
    "stray": "there is a row whose stream has no event",
    "hole": "the versions of a stream are not 1, 2, 3, ... in the order of positions",
    "unfoldable": "the events of a stream cannot be folded",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One row, or one stream, that does not hold. `read_model` is `events` when the log itself is at fault.

    `equals_version` is the last version of the stream after which the row looked like this; when there is
    none, `unexplained` names the columns whose value no version ever gave them.
    """

    kind: Kind
    read_model: str
    stream: str
    row_key: Row
    columns: tuple[str, ...] = ()
    equals_version: int | None = None
    unexplained: tuple[str, ...] = ()
    detail: str = ""

    @property
    def explanation(self) -> str:
        """One line for a person: what is wrong, and since when or where."""
        if self.detail:
            return self.detail
        if self.equals_version is not None:
            columns = ", ".join(self.columns) or "later events are missing"
            return f"as after version {self.equals_version}: {columns}"
        if self.unexplained:
            return f"no version explains {', '.join(self.unexplained)}"
        return f"differs in {', '.join(self.columns)}" if self.columns else MEANINGS[self.kind]


def differing_columns(kept: Row | None, folded: Row | None) -> tuple[str, ...]:
    """Columns in which a row and its fold differ; none when one of the two is not there."""
    if kept is None or folded is None:
        return ()
    return tuple(sorted(name for name in folded if kept.get(name) != folded[name]))


def kind_of(kept: Row | None, folded: Row | None) -> Kind:
    """Which kind of finding two unequal states are."""
    if kept is None:
        return "missing"
    return "surplus" if folded is None else "differs"


def explain(kept: Row, states: Iterable[tuple[int, Row | None]]) -> tuple[int | None, tuple[str, ...]]:
    """The last version whose state equals the row, else the columns that no version explains.

    `states` are (version, row after it) in order. A row may be explained column by column and yet equal
    no version: then both are empty, it is a mixture of states.
    """
    last: int | None = None
    unseen = set(kept)
    for version, state in states:
        if state is None:
            continue
        unseen -= {name for name in unseen if state.get(name) == kept[name]}
        if state == kept:
            last = version
    return last, tuple(sorted(unseen)) if last is None else ()
