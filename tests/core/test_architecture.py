"""The shape of the package: which room may import which, and what may stand in them (DESIGN, section 3)."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TypeGuard

import pytest

PACKAGE = "airflow_provider_openai_dest"

# Who may import whom: room -> rooms. A room is a folder, or a module that stands alone beside the folders.
# What is not written here is forbidden. The order is that of the flow, from the bottom up.
DIRECTIONS: dict[str, set[str]] = {
    "exceptions": set(),
    "provider_info": set(),
    "prices": {"exceptions"},
    "endpoints": {"exceptions"},
    "connection": {"exceptions"},
    "sources": {"exceptions"},
    "rendering": {
        *("sources", "endpoints", "exceptions"),
        *("connection.headers", "connection.servers", "connection.url"),
    },
    "validation": {"rendering", "endpoints", "exceptions"},
    "limits": set(),
    "wire": {
        *("rendering.encoding", "rendering.multipart", "exceptions"),
        *("connection.diagnosis", "connection.origin", "connection.redaction", "connection.token"),
    },
    "delivery": {
        *("wire", "limits", "prices", "rendering", "sources"),
        *("endpoints", "connection", "exceptions"),
    },
    "answers": {
        *("delivery", "wire", "rendering", "sources"),
        *("endpoints", "connection.redaction", "exceptions"),
    },
    "uploads": {"delivery", "wire", "limits", "rendering", "sources", "endpoints", "exceptions"},
    "manifest": {"delivery", "prices", "sources", "exceptions"},
    # A webhook item is a rendered request like any other, and a delivery of them has a manifest.
    "sinks": {"manifest", "answers", "delivery", "rendering", "sources", "endpoints", "exceptions"},
    "checkpoint": {"manifest", "uploads", "delivery", "rendering", "sources", "sinks", "exceptions"},
    "run_end": {"manifest", "delivery", "exceptions"},
    "destination": {
        *("run_end", "manifest", "checkpoint", "sinks", "answers", "delivery", "wire"),
        *("rendering", "sources", "connection", "endpoints", "exceptions"),
    },
    "estimate": {"manifest", "prices", "delivery", "rendering", "sources", "endpoints", "exceptions"},
    # A server that shared code with the client would share its mistakes.
    "sandbox": {"exceptions"},
}

# The rim: these may import Airflow and every room, and no room above may import them.
RIM = {"__main__", "cli", "hooks", "operators", "sensors", "triggers"}

# What any room may take from the package itself; its lazy public names would be a way around this table.
EVERYWHERE = {"__version__"}

# Names that say nothing of what is inside.
EMPTY_NAMES = {
    *("utils", "util", "common", "helpers", "helper", "core", "base", "misc", "shared", "tools"),
    *("manager", "managers", "handler", "handlers", "processor", "processors"),
}

# Files of endpoints/ that are no declarations: the type, the list of all, and what is not in it.
NO_DECLARATIONS = {"template", "catalogue", "absent", "__init__"}


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the package; ``name`` is its dotted name below the package, ``""`` for the package itself."""

    name: str
    path: Path

    @property
    def room(self) -> str:
        """Name the folder below the package, or the module that stands alone."""
        return self.name.partition(".")[0]

    def tree(self) -> ast.Module:
        """Parse the file."""
        return ast.parse(self.path.read_text(encoding="utf-8"), filename=str(self.path))

    def imports(self) -> Iterator[tuple[int, str]]:
        """Give line and absolute dotted name of each import, those inside functions and TYPE_CHECKING included."""
        for node in ast.walk(self.tree()):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node.lineno, alias.name
            elif isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                for alias in node.names:
                    yield node.lineno, f"{origin}.{alias.name}"

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        here = [PACKAGE, *filter(None, self.name.split("."))]
        is_package = self.path.name == "__init__.py"
        above = here[: len(here) - node.level + is_package]
        return ".".join([*above, *filter(None, [node.module])])


def _modules() -> list[Module]:
    """Find the files of the package that is installed, be it this folder or a wheel."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    root = Path(next(iter(spec.submodule_search_locations)))
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found.append(Module(".".join(part for part in parts if part != "__init__"), path))
    return found


MODULES = _modules()
CORE = [module for module in MODULES if module.room not in RIM]
DECLARATIONS = [module for module in MODULES if module.room == "endpoints" and module.path.stem not in NO_DECLARATIONS]


def _is_allowed(room: str, target: str) -> bool:
    """Tell whether a room may import ``target``, a dotted name below the package."""
    if target.partition(".")[0] == room or target in EVERYWHERE:
        return True
    return any(target == door or target.startswith(f"{door}.") for door in DIRECTIONS[room])


def test_every_room_stands_in_the_table() -> None:
    """A new room says in the table above whom it may import."""
    rooms = {module.room for module in MODULES if module.name}
    assert rooms <= DIRECTIONS.keys() | RIM


def test_the_table_has_no_circle() -> None:
    """The rooms stand in an order: none is above another and below it."""
    graph = {room: {target.partition(".")[0] for target in targets} for room, targets in DIRECTIONS.items()}
    assert set(TopologicalSorter(graph).static_order()) == DIRECTIONS.keys()


@pytest.mark.parametrize("room", DIRECTIONS)
def test_imports_follow_the_flow(room: str) -> None:
    """A room imports only the rooms that the table allows it, and so never the rim."""
    wrong = [
        f"{module.name}, line {line}, imports {name}"
        for module in CORE
        if module.room == room
        for line, name in module.imports()
        if name == PACKAGE or name.startswith(f"{PACKAGE}.")
        if not _is_allowed(room, name.removeprefix(PACKAGE).removeprefix("."))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("room", ["", *DIRECTIONS])
def test_the_core_does_not_name_airflow(room: str) -> None:
    """No file of the core imports Airflow, not even inside a function."""
    wrong = [
        f"{module.name or PACKAGE}, line {line}, imports {name}"
        for module in CORE
        if module.room == room
        for line, name in module.imports()
        if name.partition(".")[0] == "airflow"
    ]
    assert not wrong, "\n".join(wrong)


def test_provider_info_imports_nothing() -> None:
    """Airflow reads the provider's metadata in each of its processes, so that file loads nothing."""
    provider_info = next(module for module in MODULES if module.name == "provider_info")
    assert [name for _, name in provider_info.imports() if not name.startswith("__future__.")] == []


# Runs in an interpreter of its own: imports what is not ours once, then forks for each of our modules, so that each
# is imported into a process that has no other of them.
_IMPORT_EACH_ALONE = """
import contextlib, gc, importlib, json, os, sys, traceback

ours, others = json.load(sys.stdin)
for name in others:
    for module in (name, name.rpartition(".")[0]):
        with contextlib.suppress(ImportError, ValueError):
            importlib.import_module(module)
            break

gc.disable()
children = []
for name in ours:
    if child := os.fork():
        children.append(child)
        continue
    try:
        importlib.import_module(name)
        loaded = sorted(module for module in sys.modules if module.partition(".")[0] == "airflow")
        assert not loaded, f"loaded {len(loaded)} modules of Airflow, {loaded[0]} first"
    except BaseException:
        os.write(2, f"{name}: {traceback.format_exc()}".encode())
        os._exit(1)
    os._exit(0)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_each_core_module_imports_alone_and_without_airflow() -> None:
    """Each module of the core can be the first one imported, and brings no Airflow with it."""
    ours = [f"{PACKAGE}.{module.name}".rstrip(".") for module in CORE]
    imported = {name for module in CORE for _, name in module.imports()}
    others = sorted(name for name in imported if name.partition(".")[0] not in {PACKAGE, "airflow", "__future__"})
    run = subprocess.run(
        [sys.executable, "-c", _IMPORT_EACH_ALONE],
        input=json.dumps([ours, others]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("module", DECLARATIONS, ids=lambda module: module.name)
def test_endpoint_files_hold_only_literals(module: Module) -> None:
    """An endpoint is data: its file is a docstring, imports, and templates made of literals."""
    docstring, *statements = module.tree().body
    assert isinstance(docstring, ast.Expr)
    wrong = [
        f"{module.path.name}:{node.lineno} {ast.unparse(node)[:60]}"
        for node in statements
        if not _declares_a_template(node)
    ]
    assert not wrong, "\n".join(wrong)


def _declares_a_template(node: ast.stmt) -> bool:
    """Tell whether a statement is an import, or ``NAME = EndpointTemplate(...)`` with nothing to compute in it."""
    if isinstance(node, ast.ImportFrom):
        return node.module in {"__future__", f"{PACKAGE}.endpoints.template"}
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="EndpointTemplate")) as call):
            return name.isupper() and _is_literal(call)
    return False


def _is_literal(node: ast.expr) -> bool:
    """Tell whether an expression is a constant, a collection, or a declaration made of such."""
    match node:
        case ast.Constant():
            return True
        case ast.Starred(value=value):
            return _is_literal(value)
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            return all(map(_is_literal, items))
        case ast.Dict(keys=keys, values=values):
            return all(key is not None and _is_literal(key) for key in keys) and all(map(_is_literal, values))
        case ast.Call(func=ast.Name(id="EndpointTemplate" | "Packing" | "AnswerFiles"), args=[], keywords=keywords):
            return all(keyword.arg is not None and _is_literal(keyword.value) for keyword in keywords)
    return False


def test_no_name_is_empty() -> None:
    """No room and no file is called by a word that says nothing."""
    wrong = [module.name for module in MODULES if EMPTY_NAMES & set(module.name.split("."))]
    assert not wrong, "\n".join(wrong)


TESTS = sorted(Path(__file__).parents[1].rglob("test_*.py"))


def test_each_test_says_what_it_proves() -> None:
    """A test's docstring is the sentence that it proves."""
    wrong = [
        f"{path.name}, line {node.lineno}: {node.name}"
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if _is_test(node) and not (ast.get_docstring(node) or "").rstrip().endswith((".", "?"))
    ]
    assert not wrong, "\n".join(wrong)


def _is_test(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
