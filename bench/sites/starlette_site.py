"""The site on Starlette."""

from bench.sites.toolkit import Site

site = Site("starlette", "Starlette")
app, routed = site.app(), site.routed
