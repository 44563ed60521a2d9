"""The typed site on `portico.web`."""

from bench.sites.typed.vocabulary import Typed

site = Typed("portico.web", "Portico")
app, many = site.app(), site.many()
