"""What retention does in a world: mostly with hardly any patience, so that rows of the last minutes go."""

from datetime import timedelta

from tests.model.world import World

WHATS = (
    "tasks",
    "dead_letters",
    "tasks",
    "dead_letters",
    "attempts",
    "coverage_history",
    "idempotency_keys",
    "deliveries",
)


def retain(world: World, a: int, b: int, c: int) -> None:
    """A few batches of one kind of rows, or of two."""
    for n in range(1 + c % 3):
        world.session.call(
            "apply_retention",
            what=WHATS[(a + n * (b % 2)) % len(WHATS)],
            kept=timedelta(seconds=(0, 5, 30, 120)[b % 4]),
            batch=1 + c,
            at=world.now,
        )
