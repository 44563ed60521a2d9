"""Compare OpenAPI documents: `python conformance/documents.py` asks FastAPI and Portico about the same programs.

The programs are those of FastAPI's documentation and of its tests: every application that one of their modules makes.
One interpreter imports them with the real packages, another with both names bound to `portico.web`; what the two write
down has to be equal to the byte, the order of keys included. Programs that neither of them can import, or describe,
are equal too: the sentence in which they say so is theirs.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# Written for Python alone, for a FastAPI that is gone, or about what is not there in an environment without a browser.
LEFT_OUT = ("python_types", "telemetry", "test_tutorial", "benchmarks")
SHOWN = 5


def main() -> int:
    """Let both describe the programs, and print what is different."""
    from frameworks import STARLETTE, SUITES, environment, unpacked

    suite = SUITES["portico"]
    source = unpacked(suite.archive)
    python = environment(suite, source)
    theirs = [str(source), str(unpacked(STARLETTE))]
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for aliases, path in (("", theirs), (suite.bound, [str(ROOT / "src"), str(ROOT)])):
            out = Path(folder) / "documents.json"
            paths = os.pathsep.join([str(source / "docs_src"), *path])
            variables = os.environ | {"PYTHONPATH": paths, "PORTICO_ALIASES": aliases}
            subprocess.run([python, __file__, str(source), str(out)], env=variables, check=True)
            found.append(json.loads(out.read_text()))
    real, ours = found
    different = 0
    for name in sorted(real.keys() | ours.keys()):
        if json.dumps(real.get(name)) != json.dumps(ours.get(name)):
            different += 1
            print(name)
            for line in list(differences(real.get(name), ours.get(name)))[:SHOWN]:
                print(f"    {line}")
    print(f"{len(real) - different} of {len(real)} documents are equal")
    return 1 if different else 0


def differences(real: Any, ours: Any, path: str = "") -> Iterator[str]:
    """Say where two documents differ."""
    if isinstance(real, dict) and isinstance(ours, dict):
        if list(real) != list(ours):
            yield f"{path or '/'}: {list(real)}, ours has {list(ours)}"
        for key in real.keys() & ours.keys():
            yield from differences(real[key], ours[key], f"{path}/{key}")
    elif isinstance(real, list) and isinstance(ours, list) and len(real) == len(ours):
        for index, pair in enumerate(zip(real, ours, strict=True)):
            yield from differences(*pair, f"{path}/{index}")
    elif json.dumps(real) != json.dumps(ours):
        yield f"{path}: {json.dumps(real)[:200]}, ours is {json.dumps(ours)[:200]}"


def describe(source: Path, out: Path) -> None:
    """Write down the documents of all programs, in the interpreter of one of the two."""
    warnings.simplefilter("ignore")
    os.chdir(source)
    sys.path.insert(0, str(source))
    import fastapi

    found: dict[str, Any] = {}
    for path in (*sorted(source.glob("docs_src/**/*.py")), *sorted(source.glob("tests/**/test_*.py"))):
        module = ".".join(path.relative_to(source).with_suffix("").parts)
        if any(part in module for part in LEFT_OUT):
            continue
        try:
            names = vars(importlib.import_module(module))
        except BaseException:  # a test module may skip itself
            found[module] = "cannot be imported"
            continue
        for name, value in list(names.items()):
            if isinstance(value, fastapi.FastAPI):
                found[f"{module}:{name}"] = document(value)
    out.write_text(json.dumps(found))


def document(app: Any) -> Any:
    """Return the document of an application, or that there is none."""
    try:
        return app.openapi()
    except Exception:
        return "cannot be described"


if __name__ == "__main__":
    if len(sys.argv) == 3:
        describe(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        sys.exit(main())
