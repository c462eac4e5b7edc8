"""The demo's own task type, with a mistake in it: what a failure looks like, and how to run it again.

Imported by the workers of `annals up --demo`, as any module of tasks would be.
"""

from dataclasses import dataclass

from service import SyncContext, task
from service.demo.packages import ROOT, TASK_TYPE


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package and the classifiers its authors gave it."""

    name: str
    classifiers: list[str]


@task(TASK_TYPE, max_attempts=1, timeout_seconds=30)
def supported_pythons(ctx: SyncContext[Package]) -> str:
    """The span of Python versions that a package's classifiers name, as in "3.10 to 3.14"."""
    labels = [line.removeprefix(ROOT) for line in ctx.params.classifiers if line.startswith(ROOT)]
    # The mistake: "3 :: Only" and "Implementation :: CPython" stand below that root too, and are no versions.
    versions = [tuple(int(part) for part in label.split(" :: ")[-1].split(".")) for label in labels]
    # "3" says less than any "3.x".
    exact = [version for version in versions if len(version) > 1] or versions
    return " to ".join(".".join(map(str, version)) for version in (min(exact), max(exact)))
