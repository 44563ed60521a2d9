"""Bring the documentation pages' scripts and styles in the package up to date.

    pip download --no-deps --dest /tmp drf-spectacular-sidecar
    python docs/refresh_ui.py /tmp/drf_spectacular_sidecar-*.whl

The wheel holds the published builds of Swagger UI and ReDoc, unchanged. What the pages need of them goes into
`assets/`, compressed, and what they are called in URLs into `bundles.py`: a name has a part that changes with the
content, so that browsers may keep what they have. Without a wheel only the names are made again, for after a change of
our own files.
"""

import gzip
import hashlib
import re
import sys
from pathlib import Path
from zipfile import ZipFile

OPENAPI = Path(__file__).parent.parent / "src/portico/web/openapi"
ASSETS = OPENAPI / "assets"
WITHIN = "drf_spectacular_sidecar/static/drf_spectacular_sidecar"
# What is taken, where it is in the wheel, and what its address begins with; FastAPI's users know these.
TAKEN = {
    "swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
    "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
    "redoc.standalone.js": "redoc/bundles/redoc.standalone.js",
}
LICENCES = {
    "swagger-ui.LICENSE.txt": "swagger-ui-dist/LICENSE",
    "redoc.LICENSE.txt": "redoc/LICENSE",
    "redoc.standalone.js.LICENSE.txt": "redoc/bundles/redoc.standalone.js.LICENSE.txt",
}
OURS = ("start.js", "oauth2-redirect.js", "favicon.svg")
VERSION = r"{}`_ version ``([0-9.]+)``"
SOURCE_MAP = re.compile(rb"\n?(?://|/\*)# sourceMappingURL=\S+(?: ?\*/)?\s*\Z")
# The one request of ReDoc to another host: a logo, which hides itself where it cannot be loaded.
LOGO = (b'"https://cdn.redoc.ly/redoc/logo-mini.svg"', b'"data:,"')

HEAD = '''"""The addresses of the documentation pages' files, below `docs.ASSETS`. Made by `docs/refresh_ui.py`."""

# By name in `assets/`; those of others are compressed there. The last part but one changes with the content.
BUNDLES = {
'''


def take(wheel: Path) -> dict[str, str]:
    """Copy what is needed from the wheel, and return the directories of the addresses by name."""
    with ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
        for name, inside in TAKEN.items():
            content = SOURCE_MAP.sub(b"", archive.read(f"{WITHIN}/{inside}"))
            if name.startswith("redoc"):
                assert content.count(LOGO[0]) == 1, "ReDoc's logo is somewhere else now"
                content = content.replace(*LOGO)
            (ASSETS / f"{name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
        for name, inside in LICENCES.items():
            (ASSETS / name).write_bytes(archive.read(f"{WITHIN}/{inside}"))
    versions = {title: re.search(VERSION.format(title), text) for title in ("Swagger UI", "Redoc")}
    swagger, redoc = (found.group(1) for found in versions.values() if found)
    write_readme(swagger, redoc)
    return {name: f"redoc@{redoc}/" if name.startswith("redoc") else f"swagger-ui-dist@{swagger}/" for name in TAKEN}


def write_readme(swagger: str, redoc: str) -> None:
    """Put the versions into the table of the README."""
    readme = ASSETS / "README.md"
    text = re.sub(r"(?m)^(\| Swagger UI \| )[0-9.]+", rf"\g<1>{swagger}", readme.read_text())
    readme.write_text(re.sub(r"(?m)^(\| ReDoc \| )[0-9.]+", rf"\g<1>{redoc}", text))


def addresses(directories: dict[str, str]) -> dict[str, str]:
    """Return the address of each file."""
    found = {}
    for name in (*TAKEN, *OURS):
        path = ASSETS / name
        content = path.read_bytes() if path.exists() else gzip.decompress((ASSETS / f"{name}.gz").read_bytes())
        stem, dot, ending = name.rpartition(".")
        found[name] = f"{directories.get(name, '')}{stem}.{hashlib.sha256(content).hexdigest()[:12]}{dot}{ending}"
    return found


def main(arguments: list[str]) -> None:
    """Refresh the files from the wheel, if one is named, and then the addresses."""
    if arguments:
        directories = take(Path(arguments[0]))
    else:
        from portico.web.openapi.bundles import BUNDLES

        directories = {name: address.rpartition("/")[0] + "/" for name, address in BUNDLES.items() if "/" in address}
    lines = [f'    "{name}": "{address}",\n' for name, address in addresses(directories).items()]
    (OPENAPI / "bundles.py").write_text(HEAD + "".join(lines) + "}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
