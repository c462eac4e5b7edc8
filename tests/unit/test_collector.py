"""What the garbage collector is spared, and that it gets all of it back."""

import gc

from service.collector import YOUNG, calm_collector


def test_it_is_calm_for_the_block_and_then_as_before() -> None:
    before = gc.get_threshold()
    with calm_collector():
        assert gc.get_freeze_count() > 1000 and gc.get_threshold() == (YOUNG, *before[1:])
        with calm_collector():
            assert gc.get_threshold()[0] == YOUNG
        assert gc.get_freeze_count() > 1000
    assert gc.get_threshold() == before and gc.get_freeze_count() == 0
