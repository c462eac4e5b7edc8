"""A database with rows of all ages: written by the functions of production, with the time as an argument."""

from dataclasses import dataclass
from typing import Any

from tests.model.database import Session

NODE = "00000000-0000-4000-8000-00000000000a"


@dataclass(frozen=True)
class Ages:
    """What happened how long ago; tasks are named by how they ended and when: done-25h."""

    s: Session

    def prepare(self) -> None:
        """A worker that lives, and a task type that fails at once."""
        self.s.rows("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
        self.s.rows("SELECT start_worker('w', 'h', 1, '{default}', '{noop}', 4)")

    def task(self, ending: str, age: str, task_id: str | None = None) -> str:
        """A task that ended so long ago: done, failed or cancelled."""
        name = task_id or f"{ending}-{age.replace(' ', '')}"
        self.s.rows("SELECT enqueue_task('noop', task_id => %s, at => now() - %s::interval)", name, age)
        if ending == "cancelled":
            self.s.rows("SELECT cancel_task(%s, at => now() - %s::interval)", name, age)
            return name
        self.s.rows(
            "SELECT claim_tasks('w', '{default}', '{noop}', 1, at => now() - %s::interval)",
            age,
        )
        outcome, detail = {"done": ("completed", "{}"), "failed": ("failed", '{"retry": false}')}[ending]
        self.s.rows(
            "SELECT end_attempts('w', ARRAY[%s], '{2}', ARRAY[%s], ARRAY[%s]::jsonb[],"
            " at => now() - %s::interval)",
            *(name, outcome, detail, age),
        )
        return name

    def agent(self) -> str:
        """An agent that is older than everything; gives its id."""
        nodes = [{"node_id": NODE, "label": "a", "canonical_path": ["a"]}]
        self.s.call("import_taxonomy", taxonomy_version="1.0.0", nodes=nodes)
        long_ago = self.s.value("SELECT now() - interval '99 days'")
        [agent] = self.s.call("create_agent", name="a", taxonomy_node_ids=[NODE], at=long_ago)
        return str(agent["agent_id"])

    def retain(self, what: str, kept: str = "0", batch: int = 1000) -> list[dict[str, Any]]:
        """Batches until done."""
        batches = []
        while not (batches and batches[-1]["done"]):
            batches += self.s.rows("SELECT * FROM apply_retention(%s, %s::interval, %s)", what, kept, batch)
        return batches

    def names(self) -> set[str]:
        """Tasks that have a row."""
        return {row["task_id"] for row in self.s.rows("SELECT task_id FROM background_tasks")}
