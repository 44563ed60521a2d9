"""OpenAPI: the document that describes an application, and the pages that show it.

`models` is the vocabulary of the document, `build` makes it from the routes, `docs` and `pages` serve it.
"""
