"""Find the application of a project without importing anything: where it usually is, by what the source says.

The usual files are parsed, and else the others of the directory. A top-level name counts that is made by a known
framework; else one that is called `app` or `application`; else a function that makes one, such as `create_app`.
"""

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from portico.asgi import PorticoError

MODULES = ("main", "app", "api", "asgi", "wsgi", "application", "server")
IN_PACKAGE = ("__init__", *MODULES)
NAMES = ("app", "application")
FACTORIES = ("create_app", "make_app", "build_app", "get_app", "create_application", "get_application")
FRAMEWORKS = {
    "portico": ("Portico", "Application"),
    "fastapi": ("FastAPI",),
    "starlette": ("Starlette",),
    "litestar": ("Litestar",),
    "quart": ("Quart",),
    "flask": ("Flask",),
    "sanic": ("Sanic",),
    "falcon": ("App",),
    "blacksheep": ("Application",),
    "bottle": ("Bottle",),
    "channels": ("ProtocolTypeRouter",),
    "django": ("get_asgi_application", "get_wsgi_application"),
}
MADE, NAMED, FACTORY = range(3)  # how sure it is
MOST_PACKAGES = MOST_MODULES = 50
MOST_BYTES = 1 << 20
_SETTINGS = re.compile(rb"""DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")
# For a file that does not parse now and will be mended.
_NAMED = re.compile(rb"^(?:async def |def |class )?(app|application)\b *[=(:]", re.MULTILINE)


class DetectionError(PorticoError):
    """No application was found, or several were; the text says where, and what to write."""


@dataclass(frozen=True)
class Found:
    """An application: `target` is importable from `directory`."""

    target: str
    directory: str
    file: str
    line: int
    kind: int
    maker: str = ""

    @property
    def is_factory(self) -> bool:
        """Whether it has to be called to get the application."""
        return self.kind == FACTORY

    def __str__(self) -> str:
        made = f", {self.maker}" if self.maker else ""
        return f"{self.target} ({os.path.relpath(self.file)}, line {self.line}{made})"


def detect(directory: str = "", command: str = "portico dev") -> Found:
    """Return the application of the project in the directory, where there is no doubt.

    Raises:
        DetectionError: there is none, or there are several.
    """
    top = Path(directory or os.curdir).resolve()
    looked: list[str] = []
    for files in _places(top, sources=not directory):
        found = [each for root, path in files if _exists(path, looked) for each in _find(root, path)]
        if not found:
            continue
        best = min(each.kind for each in found)
        sure = [each for each in found if each.kind == best]
        if len(sure) > 1:
            sure = [each for each in sure if each.target.rpartition(":")[2] in NAMES] or sure
        if len(sure) > 1:
            listed = "".join(f"\n  {each}" for each in sure)
            raise DetectionError(f"several applications were found, so name one: {command} {sure[0].target}{listed}")
        return sure[0]
    raise DetectionError(_nothing(top, looked, command))


def _places(top: Path, *, sources: bool) -> Iterator[list[tuple[Path, Path]]]:
    """Yield files and where they are imported from, those first that leave the least doubt."""
    roots = [top, top / "src"] if sources else [top]
    for root in roots:
        yield list(_django(root))
        yield [(root, root / f"{name}.py") for name in MODULES]
        yield [(root, root / package / f"{name}.py") for package in ("app", "api") for name in IN_PACKAGE]
        yield [(root, package / f"{name}.py") for package in _packages(root) for name in IN_PACKAGE]
    yield [(top, path) for path in _other_modules(top)]


def _django(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the file that the settings' package of a Django project has for the purpose."""
    match = _SETTINGS.search(_read(root / "manage.py"))
    if match is None:
        return
    parts = match[1].decode().split(".")
    while parts := parts[:-1]:
        for name in ("asgi", "wsgi"):
            path = root.joinpath(*parts, f"{name}.py")
            if path.is_file():
                yield root, path
                return


def _packages(root: Path) -> list[Path]:
    try:
        inside = sorted(path for path in root.iterdir() if path.name.isidentifier() and path.name not in ("app", "api"))
    except OSError:
        return []
    return [path for path in inside if (path / "__init__.py").is_file() and path.name != "tests"][:MOST_PACKAGES]


def _other_modules(root: Path) -> list[Path]:
    """Return the files of the directory that have no usual name and are no tests."""
    names = sorted(path for path in root.glob("*.py") if path.stem.isidentifier() and path.stem not in MODULES)
    return [path for path in names if not path.stem.startswith("test_") and path.stem != "conftest"][:MOST_MODULES]


def _exists(path: Path, looked: list[str]) -> bool:
    if not path.is_file():
        return False
    looked.append(os.path.relpath(path))
    return True


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError:
        return b""


def _find(root: Path, path: Path) -> list[Found]:
    """Return what a file defines, each name once and with what is surest of it."""
    source = _read(path)
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        found = [(match[1].decode(), source.count(b"\n", 0, match.start()) + 1) for match in _NAMED.finditer(source)]
        named = [(name, line, NAMED, "") for name, line in found]
    else:
        named = list(_Module(body).applications())
    parts = path.relative_to(root).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    best: dict[str, Found] = {}
    for name, line, kind, maker in named:
        if name not in best or kind < best[name].kind:
            best[name] = Found(f"{module}:{name}", str(root), str(path), line, kind, maker)
    return list(best.values())


class _Module:
    """The top level of a module: what its names are imported from or made by."""

    def __init__(self, body: list[ast.stmt]) -> None:
        self.statements = list(_top_level(body))
        self.origins: dict[str, str] = {}
        for statement in self.statements:
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    self.origins[name] = alias.name if alias.asname else name
            elif isinstance(statement, ast.ImportFrom) and not statement.level:
                for alias in statement.names:
                    self.origins[alias.asname or alias.name] = f"{statement.module}.{alias.name}"
            elif isinstance(statement, ast.ClassDef):
                makers = [maker for base in statement.bases if (maker := self.maker(base))]
                if makers:
                    self.origins[statement.name] = makers[0]

    def applications(self) -> Iterator[tuple[str, int, int, str]]:
        """Yield the name, the line, how sure it is and what has made it."""
        for statement in self.statements:
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                called = statement.value.func if isinstance(statement.value, ast.Call) else None
                maker = self.maker(called)
                if not maker and isinstance(statement, ast.AnnAssign):
                    maker = self.maker(statement.annotation)
                for target in targets:
                    if isinstance(target, ast.Name) and statement.value is not None:
                        if maker:
                            yield target.id, statement.lineno, MADE, maker.rpartition(".")[2]
                        elif target.id in NAMES:
                            yield target.id, statement.lineno, NAMED, ""
            elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if statement.name in NAMES:
                    yield statement.name, statement.lineno, NAMED, ""
                elif isinstance(statement, ast.FunctionDef) and _is_factory(statement):
                    yield statement.name, statement.lineno, FACTORY, ""

    def maker(self, node: ast.expr | None) -> str:
        """Return the whole name of what is called if it is a framework's, else nothing."""
        if node is None:
            return ""
        path = ast.unparse(node)
        first, dot, rest = path.partition(".")
        origin = self.origins.get(first, "") + dot + rest
        root, _, _ = origin.partition(".")
        return origin if origin.rpartition(".")[2] in FRAMEWORKS.get(root, ()) else ""


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run at the import, within `if`, `try` and `with` too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for name in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(statement, name, []))
            for handler in getattr(statement, "handlers", []):
                yield from _top_level(handler.body)


def _is_factory(function: ast.FunctionDef) -> bool:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) > len(arguments.defaults) or None in arguments.kw_defaults
    return function.name in FACTORIES and not required


def _nothing(top: Path, looked: list[str], command: str) -> str:
    files = f"looked at {', '.join(looked)}" if looked else f"there is no {', '.join(f'{name}.py' for name in MODULES)}"
    return (
        f"no application was found in {top}: {files}. "
        f"Name it as module:attribute: `{command} main:app` is the name 'app' in main.py"
    )
