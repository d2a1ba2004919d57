"""Imports point one way, so that a notebook needs no Streamlit, a page no torch, and a stranger one direction to read
in."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Every room of the library, lowest first: a room may import those of the lines before it, and itself.
ORDER = [
    "encoders events ipm metrics",
    "data",
    "config network",
    "results",
    "measures training",
    "figures runs",
    "world jobs",
    "lecture identify",
    "export studies",
    "serve lessons",
    "cli",
    # What starts the program, and names of version 1 that notebooks and readers of its README import.
    "__main__ projection deployment falsifiers",
]
TORCH = ("crl_core.ipm", "crl_core.training", "crl_core.export.models", "crl_core.identify.flows")
FLOOR = {room: floor for floor, rooms in enumerate(ORDER) for room in rooms.split()}


def module(path: Path) -> str:
    """The dotted name of a file; a package's is that of its `__init__`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {module(path): path for path in sorted((ROOT / "crl_core").rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever the import stands, other than for type checking."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (inside & FILES.keys()) or {node.module}
    return names


def room(name: str) -> str:
    return name.split(".")[1]


def inside(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


LIBRARY = sorted(FILES.keys() - {"crl_core"})  # the root's `__init__` gathers public names from everywhere


def test_every_module_belongs_to_a_room_that_the_order_names() -> None:
    assert {room(name) for name in LIBRARY} == FLOOR.keys()


@pytest.mark.parametrize("name", LIBRARY)
def test_a_module_imports_its_own_room_and_lower_ones_only(name: str) -> None:
    for imported in imports(FILES[name]) & FILES.keys():
        assert imported != "crl_core", f"{name} imports the root; name the module"
        own, other = room(name), room(imported)
        assert own == other or FLOOR[other] < FLOOR[own], f"{name} imports {imported}"


def assert_no_circle(names: Iterable[str], group: Callable[[str], str]) -> None:
    """No imports among `names` lead from a group of modules back to it."""
    needs: dict[str, set[str]] = {}
    for name in names:
        theirs = {group(imported) for imported in imports(FILES[name]) & set(names)}
        needs.setdefault(group(name), set()).update(theirs - {group(name)})
    assert list(TopologicalSorter(needs).static_order())  # raises CycleError otherwise


def test_no_module_leads_back_to_itself() -> None:
    assert_no_circle(LIBRARY, lambda name: name)


@pytest.mark.parametrize(
    "package",
    [name for name, path in FILES.items() if path.name == "__init__.py" and len(list(path.parent.iterdir())) > 1],
)
def test_no_folder_of_a_package_leads_back_to_itself(package: str) -> None:
    depth = package.count(".") + 2
    below = [name for name in LIBRARY if name.startswith(package + ".")]
    assert_no_circle(below, lambda name: ".".join(name.split(".")[:depth]))


def test_the_top_floor_can_be_taken_in_at_a_glance() -> None:
    top = [path for path in (ROOT / "crl_core").iterdir() if not path.name.startswith("__pycache__")]
    assert len([path for path in top if path.suffix == ".py"]) <= 11
    assert len([path for path in top if path.is_dir()]) <= 15
    arrows = {(room(name), room(imported)) for name in LIBRARY for imported in imports(FILES[name]) & set(LIBRARY)}
    assert len({(a, b) for a, b in arrows if a != b}) <= 100  # eight of them from `lessons`, which asks all others


def test_the_library_never_imports_streamlit_or_the_pages() -> None:
    for path in FILES.values():
        assert not {name.split(".")[0] for name in imports(path)} & {"streamlit", "pages", "app"}, path.name


def test_torch_is_imported_under_four_prefixes_only() -> None:
    for path in [*FILES.values(), *(ROOT / "pages").rglob("*.py"), ROOT / "app.py"]:
        if not inside(module(path), TORCH):
            assert "torch" not in {name.split(".")[0] for name in imports(path)}, path


def test_pages_reach_torch_through_no_other_room() -> None:
    for path in (ROOT / "pages").rglob("*.py"):
        assert not any(inside(name, TORCH) for name in imports(path)), path


def test_every_module_can_be_imported_without_torch_but_those() -> None:
    rooms = [name for name in LIBRARY if not inside(name, TORCH) and not name.endswith("__main__")]
    code = f"import sys\nfor room in {rooms!r}: __import__(room)\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_readmes_map_shows_every_room_in_the_order_of_imports() -> None:
    readme = (ROOT / "README.md").read_text()
    drawn = readme[readme.index("<!-- map:start -->") : readme.index("<!-- map:end -->")]
    lines = [line.split("   ")[0].strip() for line in drawn.splitlines() if line.startswith("  ")]
    rooms = [name.strip().rstrip("/") for line in lines for name in line.split(",")]
    assert sorted(rooms) == sorted(FLOOR.keys() - {"__main__"})
    assert [FLOOR[name] for name in rooms] == sorted(FLOOR[name] for name in rooms)
    for name in rooms:
        assert (ROOT / "crl_core" / name).is_dir() == (f"  {name}/" in drawn)


def test_every_file_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"`((?:crl_core|pages|tests|benchmarks)/[\w./*<>-]+)`", (ROOT / "README.md").read_text()))
    assert len(named) > 15
    for name in named:
        assert list(ROOT.glob(re.sub(r"<\w+>", "*", name).rstrip("/"))), name
