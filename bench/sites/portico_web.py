"""The site on `portico.web`."""

from bench.sites.toolkit import Site

site = Site("portico.web", "Application")
app, routed = site.app(), site.routed
