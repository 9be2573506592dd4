"""Imports run one way: a module imports only from the layers below its own, never in a circle."""

import ast
from pathlib import PurePath

import pytest

from helpers import ROOT

# From the bottom up; what is in none of them is a command.
LAYERS = (
    ("wide_resnet", "random_eraser"),
    ("age_gender", "age_gender.conversion", "age_gender.detection"),  # its own modules
    ("age_gender.data", "age_gender.live", "age_gender.output", "age_gender.evaluation"),
    ("age_gender.training", "age_gender.captures"),
    ("generator", "mixup_generator", "settings"),
)
FILES = {
    ".".join(PurePath(path.relative_to(ROOT)).with_suffix("").parts).removesuffix(".__init__"): path
    for path in [*ROOT.glob("*.py"), *(ROOT / "age_gender").rglob("*.py")]
}


def layer(module):
    """The number of a module's layer, from 0 at the bottom."""
    folder = module.rpartition(".")[0]
    for number, members in enumerate(LAYERS):
        if module in members or folder in members:
            return number
    return len(LAYERS)


def imports(module):
    """The modules of this program that a module imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            names = {f"{node.module}.{name.name}" for name in node.names} & FILES.keys()
            found |= names or {node.module}
    return found & FILES.keys()


@pytest.mark.parametrize("module", FILES)
def test_module_imports_nothing_from_above(module):
    above = [name for name in imports(module) if layer(name) > layer(module)]
    assert not above


def test_commands_are_imported_by_none():
    commands = {module for module in FILES if layer(module) == len(LAYERS)}
    for module in FILES:
        assert not imports(module) & commands, module


def test_no_module_imports_itself_by_way_of_others():
    graph = {module: imports(module) for module in FILES}
    done = set()

    def visit(module, path):
        assert module not in path, " imports ".join([*path[path.index(module) :], module])
        if module not in done:
            for name in graph[module]:
                visit(name, [*path, module])
            done.add(module)

    for module in graph:
        visit(module, [])
