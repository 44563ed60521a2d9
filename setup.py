"""Compile every module that has a `.pxd` beside it; the `.pxd` files are the list.

PORTICO_PURE=1 builds no extension; PORTICO_REQUIRE_COMPILED=1 fails where one cannot be built.
"""

import os
import re
from pathlib import Path

from setuptools import Extension, setup


def extensions() -> list[Extension]:
    if os.environ.get("PORTICO_PURE") == "1":
        return []
    optional = os.environ.get("PORTICO_REQUIRE_COMPILED") != "1"
    found = []
    for pxd in sorted(Path("src").rglob("*.pxd")):
        if pxd.stem == "__init__":
            continue
        source = pxd.with_suffix(".py")
        name = ".".join(source.relative_to("src").with_suffix("").parts)
        found.append(Extension(name, [source.as_posix()], depends=sorted(_cimported(pxd)), optional=optional))
    for extension in found:
        if os.name == "posix":
            extension.extra_compile_args = ["-g0"]  # a third of the time and most of the size are for a debugger's eyes
        extension.cython_directives = {"language_level": "3", "annotation_typing": False, "binding": False}
    return found


def _cimported(pxd: Path) -> set[str]:
    """Return the files that declare what the module uses: a change of one of them changes the module too."""
    found: set[str] = set()
    waiting = [pxd]
    while waiting:
        each = waiting.pop()
        if each.as_posix() in found or not each.exists():
            continue
        found.add(each.as_posix())
        names = re.findall(r"^from (portico\.[\w.]+) cimport", each.read_text("utf-8"), re.MULTILINE)
        waiting += [Path("src", *name.split(".")).with_suffix(".pxd") for name in names]
    return found


setup(ext_modules=extensions(), options={"build_ext": {"parallel": os.cpu_count() or 1}})
