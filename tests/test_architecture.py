"""The directions of imports: who may know whom."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest_llmbench

PACKAGE = Path(pytest_llmbench.__file__).parent
SDKS = {"anthropic", "openai", "ollama", "httpx", "httpx2", "genai_prices", "pygments"}
EDGE = {
    "attempts", "bench", "built_in", "ceilings", "collector", "distribution", "fixtures",
    "given_tests_runner", "hookspecs", "item_reports", "live_line", "plan_only", "plugin",
    "rubric", "set_up", "task_items", "work",
}  # fmt: skip
"""The modules that may know pytest; beside them only what is written for its users."""


def modules() -> dict[str, ast.Module]:
    """Module name → syntax tree, of the whole package but the suites, which are tests."""
    trees = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not name.startswith(("pytest_llmbench.suites", "pytest_llmbench.testing.attacks")):
            trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def imports_of(tree: ast.AST, known: set[str]) -> set[str]:
    """What a module imports, wherever in it, for whatever reason."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return found


def test_no_import_is_circular() -> None:
    """Not even for types alone, or within functions."""
    trees = modules()
    known = set(trees)
    graph = {
        name: imports_of(tree, known) & known - {"pytest_llmbench"}
        for name, tree in trees.items()
        if name != "pytest_llmbench"  # the facade, which nobody inside imports
    }
    TopologicalSorter(graph).prepare()


def test_nobody_inside_imports_the_facade() -> None:
    trees = modules()
    names = {
        alias.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "pytest_llmbench"
        for alias in node.names
    }
    assert names == {"hookspecs"}


def test_only_the_edge_knows_pytest() -> None:
    trees = modules()
    knowing = {
        name.removeprefix("pytest_llmbench.")
        for name, tree in trees.items()
        if any(each.partition(".")[0] in {"pytest", "_pytest"} for each in imports_of(tree, set()))
    }
    assert {name for name in knowing if not name.startswith("testing")} <= EDGE


def test_no_sdk_is_imported_before_it_is_needed() -> None:
    """At the top of a module no slow package stands; types may be named."""
    offenders = [
        (name, each)
        for name, tree in modules().items()
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for each in imports_of(ast.Module([node], []), set())
        if each.partition(".")[0] in SDKS
    ]
    assert offenders == []


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{name}.{node.name}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno + 1 > 60
    ]
    assert long == []


def test_every_module_says_its_job() -> None:
    assert [name for name, tree in modules().items() if not ast.get_docstring(tree)] == []
