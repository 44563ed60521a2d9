"""What an import of the framework brings with it: nothing optional, nothing of the server, nothing slow to load."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.children import environment

import portico.web

ROOT = Path(__file__).resolve().parents[2]
OPTIONAL = {"brotli", "httpx", "httpx2", "itsdangerous", "jinja2", "opentelemetry", "yaml", "zstandard", "compression"}
SERVERS = {"click", "httptools", "portico.cli", "portico.server", "uvloop"}
SLOW = {"email", "html", "http.client", "inspect", "multipart", "ssl", "tempfile", "traceback", "urllib.request"}

# Each of these is about one optional package, and whoever imports it wants that.
ABOUT_ONE = {"portico.web.middleware.opentelemetry", "portico.web.templating", "portico.web.testclient"}
MODULES = sorted(
    {found.name for found in pkgutil.walk_packages(portico.web.__path__, "portico.web.")} - ABOUT_ONE | {"portico.web"}
)
EVERY_PROGRAM = (
    "portico.web.applications",
    "portico.web.requests",
    "portico.web.responses",
    "portico.web.routing",
    "portico.web.staticfiles",
)


def imported(*modules: str) -> set[str]:
    """Return the names of all modules that a fresh interpreter has after importing `modules`."""
    text = f"import sys; import {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", text],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_no_module_imports_what_is_optional_or_of_the_server() -> None:
    assert imported(*MODULES) & (OPTIONAL | SERVERS) == set()


def test_what_every_program_imports_brings_nothing_slow_that_asyncio_does_not_bring() -> None:
    assert (imported(*EVERY_PROGRAM) - imported("asyncio")) & (OPTIONAL | SERVERS | SLOW) == set()


def test_the_package_itself_imports_none_of_its_modules() -> None:
    assert {name for name in imported("portico.web") if name.startswith("portico.web.")} == set()


@pytest.mark.parametrize("name", ["Address", "FormData", "Headers", "QueryParams", "State", "URL"])
def test_the_types_of_what_a_request_has_are_where_the_request_is(name: str) -> None:
    requests, home = map(importlib.import_module, ("portico.web.requests", "portico.web.datastructures"))
    assert getattr(requests, name) is getattr(home, name)
