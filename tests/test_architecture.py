"""The rooms of docs/architecture.md, held against the imports in the source."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_brs"
WINDOWS = {"napari", "qtpy", "magicgui", "superqt", "vispy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
HEAVY = ("torch", "napari", "qtpy", "skimage", "scipy")

MODULES = {
    path.relative_to(PACKAGE).as_posix(): path
    for path in sorted(PACKAGE.rglob("*.py"))
    # The lazy front door names things of all floors, and holds nothing of its own.
    if path != PACKAGE / "__init__.py"
}


ROOT_MODULES = 12
"""At most, in the package's root."""
LONGEST = 400
"""Lines of a file."""


def rooms() -> dict[str, int]:
    """Room or module, such as ``io/`` or ``io/packs.py``, -> its floor, as documented."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.split("## Rooms", 1)[1].split("\n\n", 2)[1].splitlines()[2:]
    return {
        room: floor
        for floor, line in enumerate(table)
        for room in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def room_of(module: str) -> str:
    """``io/packs.py`` -> ``io/``; ``clicks.py`` stays."""
    return module.split("/")[0] + "/" if "/" in module else module


def imported(path: Path) -> set[str]:
    """Dotted names of every import in a file, those in functions included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ["napari_brs", *path.parent.relative_to(PACKAGE).parts]
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *filter(None, [node.module])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def inner_imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, as paths within it."""
    found = set()
    for name in imported(path):
        parts = name.split(".")
        while parts and parts[0] == "napari_brs":
            inside = "/".join(parts[1:])
            module = next(
                (m for m in (f"{inside}.py", f"{inside}/__init__.py") if m in MODULES), None
            )
            if module is not None:
                found.add(module)
                break
            parts.pop()
    return found - {path.relative_to(PACKAGE).as_posix()}


IMPORTS = {module: inner_imports(path) for module, path in MODULES.items()}


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Ways from a module along imports back to it; one for each circle found."""
    state: dict[str, int] = {}
    found = []

    def visit(module: str, way: list[str]) -> None:
        state[module] = 1
        for other in sorted(imports.get(module, ())):
            if state.get(other) == 1:
                found.append([*way[way.index(other) :], other])
            elif other not in state:
                visit(other, [*way, other])
        state[module] = 2

    for module in imports:
        if module not in state:
            visit(module, [module])
    return found


def test_every_module_has_a_room_in_the_documentation():
    homeless = {module for module in MODULES if room_of(module) not in rooms()}
    assert not homeless


def test_every_room_in_the_documentation_is_there():
    assert set(rooms()) == {room_of(module) for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_only_from_below(module):
    floors = rooms()
    here = floors[room_of(module)]
    above = {other for other in IMPORTS[module] if floors[room_of(other)] > here}
    assert not above


def test_no_import_goes_round_in_a_circle():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]
    assert circles(IMPORTS) == []


def test_the_root_holds_no_more_than_a_dozen_modules():
    assert len(list(PACKAGE.glob("*.py"))) <= ROOT_MODULES


@pytest.mark.parametrize("folder", ["src", "tests", "paper"])
def test_no_file_is_longer_than_can_be_read_at_once(folder):
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }
    assert lengths
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) != "plugin/"])
def test_only_the_plugin_imports_napari_or_qt(module):
    assert not WINDOWS & {name.split(".")[0] for name in imported(MODULES[module])}


@pytest.mark.parametrize(
    ("room", "stranger"),
    [("networks/", "clicks.py"), ("networks/", "io/"), ("brs/refinement.py", "networks/")],
)
def test_rooms_do_not_know_what_they_need_not_know(room, stranger):
    for module in MODULES:
        if module.startswith(room):
            assert stranger not in {room_of(other) for other in IMPORTS[module]}, module


def loaded_by(program: str) -> set[str]:
    """Which of the heavy packages a program in a fresh interpreter loads."""
    report = f"{program}\nimport sys; print([n for n in {HEAVY} if n in sys.modules])"
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", report],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(ast.literal_eval(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["napari_brs", "napari_brs.session", "napari_brs.cli"])
def test_importing_the_package_loads_nothing_heavy(module):
    assert loaded_by(f"import {module}") == set()


def test_help_of_the_command_line_loads_nothing_heavy():
    program = """
from napari_brs.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
"""
    assert loaded_by(program) == set()


def test_opening_the_dock_on_an_image_loads_no_torch():
    program = """
import numpy as np
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
application = QApplication([])
from napari_brs.plugin.dock import Dock
viewer = ViewerModel()
viewer.add_image(np.zeros((8, 8), np.uint8))
dock = Dock(viewer)
assert dock.controller.state.image is viewer.layers[0]
assert dock.controller.foreground_layer is not None
"""
    assert "torch" not in loaded_by(program)


def test_only_the_dock_and_the_demo_know_the_controller():
    knowing = {
        module for module, path in MODULES.items() if "plugin/controller.py" in inner_imports(path)
    }
    assert knowing == {"plugin/dock.py", "plugin/demo.py"}
