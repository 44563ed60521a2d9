"""docs/names.toml against the packages themselves: no public name of a peer is forgotten, none of ours is invented."""

import ast
import importlib
import importlib.metadata
import importlib.util
import inspect
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Unpack, get_args, get_origin

import pytest
from tests.served import ROOT

from portico.server.config import SETTINGS

NAMES = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "generate_names.py")))
FRAMEWORKS = ("starlette", "fastapi")
# Annotations may be of modules that only type checkers import.
LAZY: dict[str, Any] = {}
if sys.version_info >= (3, 14):
    import annotationlib

    LAZY["annotation_format"] = annotationlib.Format.FORWARDREF


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


def found(package: str, name: str) -> Any:
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(NAMES.joined(package, module)), last)


def parameters(function: Any) -> set[str]:
    """Return the names of what a callable takes; `**` where it takes any, those of a TypedDict where it unpacks one."""
    try:
        signature = inspect.signature(function, **LAZY)
    except (TypeError, ValueError):  # written in C, or no function
        return set()
    names: set[str] = set()
    for each in signature.parameters.values():
        if each.kind is not each.VAR_KEYWORD:
            names.add(each.name)
        elif get_origin(each.annotation) is Unpack:
            options = get_args(each.annotation)[0]
            names |= options.__required_keys__ | options.__optional_keys__
        else:
            names.add("**")
    return names


def calls_of(item: Any) -> dict[str, Any]:
    """Return what can be called of a name: itself, or the constructor and the public methods of a class."""
    if not inspect.isclass(item):
        return {"": item}
    methods = {f".{name}": method for name, method in inspect.getmembers(item, callable) if not name.startswith("_")}
    return {"": item.__init__, **methods}


def is_of(item: Any, package: str) -> bool:
    return str(getattr(item, "__module__", "")).partition(".")[0] == package


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of a peer's deprecated modules
@pytest.mark.parametrize("peer", FRAMEWORKS)
def test_every_parameter_of_a_frameworks_functions_and_methods_is_taken_but_those_listed(peer: str) -> None:
    table = table_of(peer)
    missing = set()
    for old, new in [*((name, name) for name in names_in(table, "same")), *table["renamed"].items()]:
        theirs, ours = found(peer, old), found("portico.web", new)
        if callable(theirs) and is_of(theirs, peer):
            here = calls_of(ours)
            for method, function in calls_of(theirs).items():
                taken = parameters(here.get(method)) if is_of(function, peer) else set()
                if taken and "**" not in taken:
                    left = parameters(function) - taken - {"args", "kwargs", "**"}
                    missing |= {f"{old}{method}({name})" for name in left}
    assert missing == {name for each in table["parameters"] for name in each["names"].split()}


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


def test_uvicorns_options_are_spelt_as_it_spells_them() -> None:
    rows = table_of("uvicorn")["options"]
    spelt = {NAMES.spelling("uvicorn", name) for row in rows for name in row["theirs"].split()} - {"APP"}
    parameters = importlib.import_module("uvicorn.main").main.params
    assert spelt - {each for option in parameters for each in option.opts} == set()


@pytest.mark.parametrize("peer", NAMES.PEERS)
def test_a_page_has_the_tables_as_they_are(peer: str) -> None:
    assert NAMES.path(peer).read_text("utf-8") == NAMES.page(peer)
