"""The tree is the architecture: arrows of imports, homes of SQL, sizes, and who may catch everything."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "service"
MODULES = sorted(path for path in SERVICE.rglob("*.py"))

# A package may import those of lower rank, never its own rank: siblings meet in the log.
RANKS: dict[str, float] = {"model": 1, "store": 2, "fleet": 2.5}
RANKS |= dict.fromkeys(("worker", "relay", "receiver", "api", "audit"), 3)
RANKS |= dict.fromkeys(
    ("coverage", "orders", "reports", "knowledge", "bench", "demo", "rerun", "webhooks"), 4
)
RANKS |= {"up": 5, "__main__": 6}
BASE = {
    "",
    "children",
    "cli",
    "collector",
    "commands",
    "errors",
    "lifecycle",
    "log",
    "log_lines",
    "metrics",
    "probe",
    "resources",
    "sections",
    "settings",
    "tether",
    "urls",
    "watchdog",
}
# The embedded server stands beside the arrows: it knows only base modules, and only the roots know it.
USERS_OF_EMBEDDED = {"embedded", "up", "__main__"}
# `service/__init__.py` gives `task` and `annals_client` to users' modules, and imports them only when asked.
LAZY = {("", "worker"), ("", "store")}

# Edges of supervised loops: what is caught there is logged, and the loop goes on. Edges of handlers: whatever
# they raise ends their attempt. The delivery of a batch: whatever a row causes is narrowed down to that row.
# The edge of the API: whatever a handler raises is logged, and answered without saying what it was. Requests
# that are written together: whatever one causes is narrowed down to it, and raised there.
MAY_CATCH_EVERYTHING = {"api/edge.py", "store/grouping.py", "lifecycle.py"}
# What a follower's effect raises is held against the event; what a delivery raises, against that delivery;
# rows that cannot be removed stop nothing else. What the text of a field raises must not end the log.
MAY_CATCH_EVERYTHING |= {"relay/following.py", "relay/parking.py", "relay/retention.py", "log.py"}
MAY_CATCH_EVERYTHING |= {"relay/sending/sender.py", "relay/sending/recording.py"}
MAY_CATCH_EVERYTHING |= {f"worker/{name}.py" for name in ("attempt", "executors", "child", "delivery")}

LONGEST_MODULE, LONGEST_FUNCTION = 250, 60
# In capitals whatever begins like a statement; in small letters only what prose does not say.
SQL_START = re.compile(
    r"\s*(SELECT\s|WITH\s+\w+\s+AS\s|LISTEN\s|UNLISTEN\s|NOTIFY\s|TRUNCATE\s|COPY\s|LOCK\s"
    r"|(?i:insert\s+into\s+\w|update\s+\w+\s+set\s+\w|delete\s+from\s+\w|select\s+(\*|\w+\s*\()"
    r"|(create|drop|alter)\s+(table|database|role|user|index|function|schema|view)\s+\w))"
)


def name_of(path: Path) -> str:
    return path.relative_to(SERVICE).as_posix()


def package_of(module: str) -> str:
    """The part below `service` that decides the rank: "service.store.pool" -> "store", "service" -> ""."""
    return f"{module}.".split(".")[1]


def package_at(path: Path) -> str:
    first = path.relative_to(SERVICE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            module = node.module or ""
            yield from (f"service.{alias.name}" for alias in node.names) if module == "service" else [module]


def is_allowed(importer: str, imported: str) -> bool:
    if imported == importer or (importer, imported) in LAZY:
        return True
    if imported == "embedded":
        return importer in USERS_OF_EMBEDDED
    if imported not in RANKS:
        return imported in BASE
    return RANKS.get(importer, 0) > RANKS[imported]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def each_module(argument: str = "path") -> pytest.MarkDecorator:
    return pytest.mark.parametrize(argument, MODULES, ids=name_of)


@each_module()
def test_imports_point_down_the_arrows(path: Path) -> None:
    importer = package_at(path)
    for module in imports_of(parse(path)):
        # `from service import task` names a module or a value of the package: only packages have a rank.
        imported = package_of(module)
        if module.split(".")[0] == "service" and (imported in RANKS or (SERVICE / imported).exists()):
            assert is_allowed(importer, imported), f"{name_of(path)} must not import {module}"


def test_every_package_has_its_place_in_the_arrows() -> None:
    for path in MODULES:
        package = package_at(path)
        assert package in {*RANKS, *BASE, "embedded"}, f"{name_of(path)}: give {package} a rank"


def docstrings(tree: ast.AST) -> set[int]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = (node.body for node in ast.walk(tree) if isinstance(node, owners) and node.body)
    return {id(body[0].value) for body in bodies if isinstance(body[0], ast.Expr)}


@each_module()
def test_sql_lives_in_its_own_files(path: Path) -> None:
    tree = parse(path)
    prose = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            assert not SQL_START.match(node.value), (
                f"{name_of(path)}:{node.lineno} holds SQL: {node.value[:50]!r}"
            )


@each_module()
def test_modules_and_functions_stay_readable(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST_MODULE, f"{name_of(path)} is too long: split it"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{name_of(path)}:{node.lineno} {node.name} has {length} lines"


@each_module()
def test_only_supervised_edges_catch_everything(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ExceptHandler) and name_of(path) not in MAY_CATCH_EVERYTHING:
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in {"everything", "Exception", "BaseException"}, (
                f"{name_of(path)}:{node.lineno}"
            )


@each_module()
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(parse(path)), f"{name_of(path)} has no docstring"


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("store", "worker"),
        ("worker", "api"),
        ("coverage", "orders"),
        ("api", "coverage"),
        ("store", "embedded"),
        ("fleet", "worker"),
    ],
)
def test_an_arrow_that_points_up_or_aside_is_refused(importer: str, imported: str) -> None:
    assert not is_allowed(importer, imported)


@pytest.mark.parametrize(
    "text", ["SELECT now() FROM x", "insert into t values (1)", "LISTEN annals", "drop table t"]
)
def test_sql_in_a_string_is_recognised(text: str) -> None:
    assert SQL_START.match(text)


@pytest.mark.parametrize(
    "text", ["select a task from the list", "Update your key", "With care", "listen to it"]
)
def test_prose_is_not_taken_for_sql(text: str) -> None:
    assert not SQL_START.match(text)


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        # What an API process never uses, and would carry all its life.
        ("service.api.server", ("psycopg", "yoyo", "sqlparse", "rich", "service.worker", "service.relay")),
        # A program that enqueues carries no server, no worker and no command line.
        ("service.store.client", ("psycopg", "aiohttp", "click", "rich", "service.api", "service.worker")),
        ("service", ("asyncio", "pydantic", "asyncpg")),
    ],
)
def test_a_process_does_not_load_what_it_never_uses(module: str, heavy: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint(heavy), f"{module} loads {loaded & set(heavy)}"
