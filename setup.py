"""Compile every module that has a `.pxd` beside it; the `.pxd` files are the list.

PORTICO_PURE=1 builds no extension; PORTICO_REQUIRE_COMPILED=1 fails where one cannot be built.
"""

import os
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
        found.append(Extension(name, [source.as_posix()], optional=optional))
    for extension in found:
        extension.cython_directives = {"language_level": "3", "annotation_typing": False, "binding": False}
    return found


setup(ext_modules=extensions())
