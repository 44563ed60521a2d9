"""The plan of a handler: its signature read once, at registration, so that a request only executes it.

`signature` turns a callable into a `Dependant`, a tree of parameters and dependencies; the other modules of this
package turn that tree into what runs for each request, and `portico.web.openapi` reads the same tree.
"""
