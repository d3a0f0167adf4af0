"""mypy reads the types of those of the CDK's services that the templates are built with; the others are Any to it."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _imported(file: Path) -> set[str]:
    """The CDK's modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "aws_cdk":
            found |= {f"aws_cdk.{one.name}" for one in node.names if one.name.islower()}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aws_cdk."):
            found.add(str(node.module))
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names if one.name.startswith("aws_cdk.")}
    return found


def test_mypy_reads_the_types_of_every_service_that_the_templates_are_built_with() -> None:
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    (read,) = [set(one["module"]) for one in overrides if one.get("follow_imports") == "normal"]
    files = [ROOT / "app.py", *(ROOT / "infra").rglob("*.py"), *(ROOT / "audit").rglob("*.py")]
    imported = set().union(*map(_imported, files))
    assert len(imported) > 10
    assert imported <= read
