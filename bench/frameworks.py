"""Rows that measure a framework on a server: their columns are pairs, such as "starlette on uvicorn"."""

from functools import partial

from bench.loads import REQUEST, Row, http
from bench.sites import LARGE, SMALL

SITES = {
    "portico.web": "bench.sites.portico_web:app",
    "starlette": "bench.sites.starlette_site:app",
    "bare": "bench.sites.bare:app",
    "fastapi": "bench.sites.fastapi_site:app",
    "litestar": "bench.sites.litestar_site:app",
    "falcon": "bench.sites.falcon_site:app",
    "blacksheep": "bench.sites.blacksheep_site:app",
}
PAIRS = [
    "portico.web on portico",
    "bare on portico",
    "starlette on portico",
    "starlette on uvicorn",
    "portico.web on uvicorn",
    "bare on uvicorn",
]
"""What is measured unless the command line names others; the first is what the others are compared with."""

# As a browser sends it: a long boundary, and bytes of every kind.
FORM = r"""
local line = "------WebKitFormBoundary7MA4YWxkTrZu0gWk"
local bytes = {}
math.randomseed(1)
for i = 1, 100000 do bytes[i] = string.char(math.random(0, 255)) end
wrk.method = "POST"
wrk.headers["Content-Type"] = "multipart/form-data; boundary=" .. line:sub(3)
wrk.body = line .. '\r\nContent-Disposition: form-data; name="title"\r\n\r\nA title\r\n' ..
    line .. '\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n' ..
    'Content-Type: application/octet-stream\r\n\r\n' .. table.concat(bytes) .. '\r\n' .. line .. '--\r\n'
"""


def site(pair: str, seconds: float, *, path: str, script: str = "") -> float:
    """Return CPU microseconds per request of a framework's site on a server."""
    framework, _, server = pair.partition(" on ")
    return http(server, seconds, app=SITES[framework], script=script, path=path)


def row(path: str, script: str = "", skipped: tuple[str, ...] = ()) -> Row:
    return Row(partial(site, path=path, script=script), REQUEST, skipped)


NO_FORMS = tuple(f"bare on {server}" for server in ("portico", "uvicorn", "granian", "hypercorn"))
ROWS = {
    "web plaintext": row("/"),
    "web JSON": row("/json"),
    "web path parameter": row("/items/42"),
    "web 100 KB form": row("/upload", FORM, NO_FORMS),
    "web 10 KB file": row(f"/files/{SMALL}"),
    "web 1 MB file": row(f"/files/{LARGE}"),
}
