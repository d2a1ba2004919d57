"""A config that is not somebody's own is built in one place, which says no where it is not allowed.

`crl_core.config.text` alone makes another config of one: `altered` of what was asked for, `imagined` of what was not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from crl_core.config import PARTS, RunConfig
from crl_core.identify.latent_worlds import LatentWorld

ROOT = Path(__file__).parents[1]
BUILDERS = {
    "crl_core/config/text.py",
    "crl_core/config/presets.py",
    "crl_core/config/run.py",
    "crl_core/data/scenario.py",
}
FIELDS = {item.name for kind in (RunConfig, LatentWorld, *PARTS.values()) for item in fields(kind)}
KINDS = {"RunConfig", *(kind.__name__ for kind in PARTS.values())}
# Whose fields have the same names, or come from the command line.
NO_CONFIGS = {"machine", "setting", "item.setting", "row", "label", "chosen", "last"}
READERS = {  # what was written down somewhere becomes a config again
    "crl_core/cli/config.py",
    "crl_core/jobs/executors.py",
    "crl_core/runs/bundle.py",
    "crl_core/runs/records.py",
    "crl_core/studies/planted_live.py",
}
SOURCES = sorted(path for room in ("crl_core", "pages") for path in (ROOT / room).rglob("*.py"))


def constant(node: ast.expr) -> bool:
    """Whether an expression says the same whatever came in: literals, and configs made of them."""
    if isinstance(node, ast.Call):
        return (
            isinstance(node.func, ast.Name) and node.func.id in KINDS and all(constant(k.value) for k in node.keywords)
        )
    if isinstance(node, ast.Name):
        return node.id == "tiny"
    return all(
        isinstance(part, (ast.Constant, ast.Tuple, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context))
        for part in ast.walk(node)
    )


def built_elsewhere(tree: ast.AST, name: str) -> Iterator[str]:
    """Every place that makes a config of another one by itself."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        named = {keyword.arg for keyword in node.keywords}
        of = ast.unparse(node.args[0]) if node.args else ""
        replaced = called == "replace" and isinstance(node.func, ast.Name) and of not in NO_CONFIGS
        if (
            (replaced and (None in named or named & FIELDS))
            or called == "with_envs"
            or (called in KINDS and not constant(node))
            or (called == "from_dict" and ast.unparse(node.func) == "RunConfig.from_dict" and name not in READERS)
        ):
            yield f"{name}:{node.lineno}: {ast.unparse(node)[:100]}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_another_config_is_made_by_altered_or_imagined_only(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    if name not in BUILDERS:
        assert not list(built_elsewhere(ast.parse(path.read_text()), name))


@pytest.mark.parametrize(
    "code",
    [
        "replace(config, training=replace(config.training, epochs=1))",
        "replace(config.scenario, **values)",
        "replace(world, scales=(), means=())",
        "scenario.with_envs(n + 1)",
        "RunConfig(scenario=scenario, training=Training(lams=LAMS))",
        "dataclasses_are(Scenario(sigma=sigma))",
        "RunConfig.from_dict(content | {'training': {}})",
    ],
)
def test_the_ways_around_it_are_found(code: str) -> None:
    assert list(built_elsewhere(ast.parse(code), "pages/new.py"))
