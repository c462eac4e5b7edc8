"""Cuts a document's text into the passages that queries find."""

# Where a text may be cut, best first: between paragraphs, lines, sentences, words. The mark stays with the
# passage before it. 다. ends most Korean sentences, and is caught by ". " as well.
BREAKS = ("\n\n", "\n", ". ", "? ", "! ", "。", " ")


def cut(text: str, size: int) -> list[str]:
    """Passages of at most `size` characters, without blanks around them; none of a blank text.

    A passage ends at the best break in its second half, and in the middle of a word only when there is none.
    """
    passages = []
    rest = text.strip()
    while len(rest) > size:
        end = _end(rest, size)
        passages.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*passages, rest] if rest else passages


def _end(text: str, size: int) -> int:
    """Length of the first passage, 1 to `size`."""
    for mark in BREAKS:
        found = text.rfind(mark, size // 2, size)
        if found >= 0 and text[: found + len(mark)].strip():
            return found + len(mark)
    return size
