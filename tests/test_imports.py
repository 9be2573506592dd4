"""Imports run one way: commands, what users of the original import, the package, the network."""

import ast

import pytest

from helpers import ROOT

LAYERS = (  # a module imports from the layers after its own; the package's own modules are one
    ("mixup_generator",),
    ("generator", "settings"),
    ("age_gender.training", "age_gender.captures"),
    ("age_gender.evaluation",),
    ("age_gender.data", "age_gender.live", "age_gender.output"),
    ("age_gender",),
    ("wide_resnet", "random_eraser"),
)
PARTS = [part for layer in LAYERS for part in layer]


def part_of(module):
    """The longest of `PARTS` that a module lies in; None for a command or another's package."""
    inside = [part for part in PARTS if f"{module}.".startswith(f"{part}.")]
    return max(inside, key=len, default=None)


def layer_of(part):
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def imports_of(path, walk=ast.walk):
    """Names of the modules that a file imports, anywhere in it or where ``walk`` goes."""
    for node in walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in (*ROOT.glob("*.py"), *(ROOT / "age_gender").rglob("*.py"))
}
MODULES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}


@pytest.mark.parametrize("module", sorted(name for name in MODULES if part_of(name)))
def test_module_imports_from_the_layers_below_its_own(module):
    own = part_of(module)
    for name in imports_of(MODULES[module]):
        part = part_of(name)
        assert part in (None, own) or layer_of(part) > layer_of(own), f"{module} imports {name}"
        assert name.split(".")[0] == "age_gender" or part or name not in MODULES, name


def test_no_modules_import_each_other_in_a_circle_when_they_are_loaded():
    arrows = {}
    for module, path in MODULES.items():
        names = imports_of(path, ast.iter_child_nodes)
        names = (name if name in MODULES else name.rpartition(".")[0] for name in names)
        arrows[module] = {name for name in names if name in MODULES and name != "age_gender"}
    while free := [module for module, targets in arrows.items() if not targets & arrows.keys()]:
        for module in free:
            del arrows[module]
    assert not arrows
