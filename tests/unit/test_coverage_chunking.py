"""Documents cut into passages."""

from hypothesis import given
from hypothesis import strategies as st

from service.coverage.chunking import cut


def test_a_short_text_is_one_passage_and_a_blank_one_none() -> None:
    assert cut("  What goes up must come down.\n", 100) == ["What goes up must come down."]
    assert cut(" \n\t ", 100) == []


def test_paragraphs_are_kept_together_where_they_fit() -> None:
    first, second = "a" * 60, "b" * 60
    assert cut(f"{first}\n\n{second}", 100) == [first, second]


def test_sentences_are_the_next_best_place_also_in_korean() -> None:
    text = "문서는 위에서 아래로 읽는다. 그리고 다음 문장이 온다."
    assert cut(text, 20) == ["문서는 위에서 아래로 읽는다.", "그리고 다음 문장이 온다."]


def test_a_word_is_cut_only_when_it_is_longer_than_a_passage() -> None:
    assert cut("x" * 250, 100) == ["x" * 100, "x" * 100, "x" * 50]


@given(st.text(), st.integers(1, 50))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, size: int) -> None:
    passages = cut(text, size)
    assert all(0 < len(passage) <= size and passage == passage.strip() for passage in passages)
    assert "".join("".join(passages).split()) == "".join(text.split())
