"""docs/names.toml against the packages themselves: no public name of a peer is forgotten, none of ours is invented."""

import ast
import importlib
import importlib.metadata
import importlib.util
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.served import ROOT

from portico.server.config import SETTINGS

NAMES = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "generate_names.py")))
FRAMEWORKS = ("starlette", "fastapi")


def table_of(peer: str) -> dict[str, Any]:
    """Return the table of a peer whose version is installed."""
    table: dict[str, Any] = NAMES.PEERS[peer]
    pytest.importorskip(peer)
    version = importlib.metadata.version(peer)
    if not f"{version}.".startswith(f"{table['version']}."):
        pytest.skip(f"the table is for {peer} {table['version']}, installed is {version}")
    return table


def public_names(package: str) -> set[str]:
    """Return what the public modules of a package define or give on, as `module.name`; no single letters, for types."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    found: set[str] = set()
    for file in root.rglob("*.py"):
        parts = file.relative_to(root).with_suffix("").parts
        module = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in module):
            names = defined(ast.parse(file.read_text("utf-8")).body)
            found |= {".".join((*module, name)) for name in names if len(name) > 1 and name[0] != "_"}
    return found


def defined(body: list[ast.stmt], imports: bool = True) -> set[str]:
    """Return the names that statements of a module define, or import under their own name on purpose."""
    found: set[str] = set()
    for node in body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(node.name)
            case ast.Assign():
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.ImportFrom() if imports:
                found |= {alias.name for alias in node.names if alias.asname == alias.name}
            case ast.If() | ast.Try():  # here, imports are for type checkers, or of packages that may be missing
                handlers = node.handlers if isinstance(node, ast.Try) else []
                inner = [*node.body, *node.orelse, *(each for handler in handlers for each in handler.body)]
                found |= defined(inner, imports=False)
    return found


def names_in(table: dict[str, Any], kind: str) -> list[str]:
    if kind == "same":
        return [NAMES.joined(module, name) for module, names in table["same"].items() for name in names.split()]
    if kind == "renamed":
        return list(table["renamed"])
    return [name for each in table["absent"] for name in each["names"].split()]


def has(name: str) -> bool:
    """Whether portico.web has this `module.name`."""
    module, _, last = name.rpartition(".")
    try:
        return hasattr(importlib.import_module(NAMES.joined("portico.web", module)), last)
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("peer", FRAMEWORKS)
def test_every_public_name_of_a_framework_is_in_one_table_and_no_other_is(peer: str) -> None:
    table = table_of(peer)
    listed = [name for kind in ("same", "renamed", "absent") for name in names_in(table, kind)]
    assert sorted(listed) == sorted(public_names(peer))


@pytest.mark.parametrize("peer", FRAMEWORKS)
def test_what_is_said_to_be_here_is_here_and_the_rest_is_not(peer: str) -> None:
    table = NAMES.PEERS[peer]
    here = [*names_in(table, "same"), *table["renamed"].values()]
    assert [name for name in here if not has(name)] == []
    assert [name for name in names_in(table, "absent") if has(name)] == []
    assert [each["names"] for each in table["absent"] if not each["why"]] == []


def options_of(peer: str) -> set[str]:
    if peer == "uvicorn":
        return {option.name for option in importlib.import_module("uvicorn.main").main.params}
    return {setting.name for setting in importlib.import_module("gunicorn.config").KNOWN_SETTINGS}


@pytest.mark.parametrize("peer", ["uvicorn", "gunicorn"])
def test_every_option_of_a_server_is_in_the_table_and_leads_to_a_setting_or_says_why_not(peer: str) -> None:
    rows = table_of(peer)["options"]
    listed = [name for row in rows for name in row["theirs"].split()]
    assert sorted(listed) == sorted(options_of(peer))
    assert [name for row in rows for name in row.get("ours", "").split() if name not in SETTINGS] == []
    assert [row for row in rows if not row.get("ours") and not row.get("says")] == []


@pytest.mark.parametrize("peer", NAMES.PEERS)
def test_a_page_has_the_tables_as_they_are(peer: str) -> None:
    assert NAMES.path(peer).read_text("utf-8") == NAMES.page(peer)
