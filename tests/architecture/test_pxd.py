"""What no compiler checks: `.pxd` against `__slots__`, the length of a file, and the public names."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import portico

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
PXDS = sorted(path for path in SOURCES.rglob("*.pxd") if path.stem != "__init__")

CLASS_LINE = re.compile(r"(?:@[\w.]+\s+)*cdef class (\w+)")
FIELD_LINE = re.compile(r"cdef\s+(?:public\s+|readonly\s+)?(?P<declared>[^=(:#]+)$")
WITHOUT_SLOTS = re.compile(r"Enum|Flag|Error|Exception|Protocol|NamedTuple|TypedDict")


def read_fields(text: str) -> dict[str, set[str]]:
    """Return the fields of each `cdef class` in a `.pxd`."""
    classes: dict[str, set[str]] = {}
    fields: set[str] = set()
    for line in re.sub(r"[ ]*#.*|\[::1\]", "", text).splitlines():
        if not line:
            continue
        if not line[0].isspace():
            fields = set()
            if match := CLASS_LINE.match(line):
                fields = classes.setdefault(match[1], set())
        elif match := FIELD_LINE.match(line.strip()):
            first, *others = (part.strip() for part in match["declared"].split(","))
            fields.update((first.split()[-1].lstrip("*"), *others))
    return classes


def read_slots(text: str) -> dict[str, set[str] | None]:
    """Return the `__slots__` of each class in a module; None where a class has none but could."""
    slots: dict[str, set[str] | None] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and not WITHOUT_SLOTS.search(" ".join(map(ast.unparse, node.bases))):
            slots[node.name] = None
            for statement in node.body:
                if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__slots__":
                    names = ast.literal_eval(statement.value)
                    slots[node.name] = {names} if isinstance(names, str) else set(names)
    return slots


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_reader_of_pxd_files_knows_every_form_in_use() -> None:
    text = """
cimport cython
from portico.http.headers cimport Headers  # not a field

@cython.final
cdef class Reader:
    cdef bytes data  # what is held
    cdef public Py_ssize_t start, end
    cdef readonly unsigned int state
    cdef object _owner
    cdef long long[::1] numbers

    cpdef bytes take(self, Py_ssize_t size)
    cdef inline bint is_empty(self)

cdef class Child(Reader):
    pass

cdef int count
"""
    assert read_fields(text) == {"Reader": {"data", "start", "end", "state", "_owner", "numbers"}, "Child": set()}


@pytest.mark.parametrize("pxd", PXDS, ids=relative)
def test_a_pxd_declares_the_fields_that_slots_names(pxd: Path) -> None:
    slots = read_slots(pxd.with_suffix(".py").read_text())
    declared = read_fields(pxd.read_text())
    assert {name: slots.get(name) for name in declared} == declared


@pytest.mark.parametrize("pxd", PXDS, ids=relative)
def test_every_class_of_a_compiled_module_has_slots(pxd: Path) -> None:
    slots = read_slots(pxd.with_suffix(".py").read_text())
    assert [name for name, fields in slots.items() if fields is None] == []


@pytest.mark.parametrize("source", sorted(SOURCES.rglob("*.py")), ids=relative)
def test_no_source_file_is_longer_than_600_lines(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= 600


def test_every_public_name_can_be_imported() -> None:
    assert portico.__all__
    assert [name for name in portico.__all__ if not hasattr(portico, name)] == []


@pytest.mark.parametrize("source", sorted(SOURCES.rglob("*.py")), ids=relative)
def test_every_module_can_be_imported_by_its_name(source: Path) -> None:
    parts = source.relative_to(SOURCES).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] in ("__init__", "__main__") else parts)
    assert importlib.import_module(name).__name__ == name
