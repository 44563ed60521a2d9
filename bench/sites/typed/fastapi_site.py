"""The typed site on FastAPI."""

from bench.sites.typed.vocabulary import Typed

site = Typed("fastapi", "FastAPI")
app, many = site.app(), site.many()
