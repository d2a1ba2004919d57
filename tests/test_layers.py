"""Imports point one way, so that a notebook needs no Streamlit and a page no torch."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
TORCH_ROOMS = {"ipm", "nets", "training"}
TORCH_PACKAGES = {"penalties", "flows", "export"}
# penalties is imported by training; flows and export stand by themselves
# Each room may import those before it; rooms of one line stand side by side.
ORDER = [
    {"config", "events"},
    {"presets", "scm", "ipm"},
    {"results", "metrics", "nets"},
    {"matching"},
    {"batches"},
    {"training", "overlap", "sealing"},
    {"labels"},
    {
        "probes",
        "baselines",
        "lam_choice",
        "selection",
        "projection",
        "records",
        "locks",
        "eventlog",
        "housekeeping",
    },
    {"evidence", "runs", "progress"},
    {"library"},
    {"cost", "runner"},
    {"worker", "jobs"},
]


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever the import stands, other than for type checking."""
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
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def library_files() -> list[Path]:
    return sorted((ROOT / "crl_core").rglob("*.py"))


def test_the_library_never_imports_streamlit_or_the_pages() -> None:
    for path in library_files():
        found = {name.split(".")[0] for name in imports(path)}
        assert not found & {"streamlit", "pages", "app"}, path.name


def needs_torch(path: Path) -> bool:
    own = path.parent.name == "crl_core" and path.stem in TORCH_ROOMS
    return own or (path.parent.parent.name == "crl_core" and path.parent.name in TORCH_PACKAGES)


def test_torch_is_imported_in_four_rooms_only() -> None:
    for path in [*library_files(), *(ROOT / "pages").rglob("*.py"), ROOT / "app.py"]:
        if needs_torch(path):
            continue
        assert "torch" not in {name.split(".")[0] for name in imports(path)}, path


def test_pages_reach_torch_through_no_other_room() -> None:
    for path in (ROOT / "pages").rglob("*.py"):
        assert not imports(path) & {f"crl_core.{room}" for room in TORCH_ROOMS | TORCH_PACKAGES}, path


def test_lower_rooms_do_not_know_the_higher_ones() -> None:
    allowed: set[str] = set(TORCH_PACKAGES)
    for rooms in ORDER:
        allowed |= rooms
        for room in rooms:
            own = {
                n.split(".")[1]
                for n in imports(ROOT / "crl_core" / f"{room}.py")
                if n.startswith("crl_core.")
            }
            assert own <= allowed, f"{room} imports {own - allowed}"


def test_no_room_leads_back_to_itself() -> None:
    """Rooms that the order above does not name may stand anywhere, as long as imports never go in a circle."""

    def room(path: Path) -> str:
        return path.relative_to(ROOT / "crl_core").parts[0].removesuffix(".py")

    needs: dict[str, set[str]] = {}
    for path in library_files():
        if path.stem not in ("__init__", "__main__"):
            own = {name.split(".")[1] for name in imports(path) if name.startswith("crl_core.")}
            needs.setdefault(room(path), set()).update(own - {room(path)})
    assert list(TopologicalSorter(needs).static_order())  # raises CycleError otherwise


def test_every_public_module_can_be_imported_without_torch_but_those() -> None:
    rooms = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in library_files()
        if not needs_torch(path) and path.stem not in {"__main__", "__init__"}
    ]
    code = f"import sys\nfor room in {rooms!r}: __import__(room)\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
