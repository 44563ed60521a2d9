"""Classes of Starlette and FastAPI in a typed program: of packages on top of them, or left over by a port.

Where one is asked for, ours does, which has the same vocabulary; where one is returned, it answers the request itself.
A declaration of theirs (`Depends`, `Query`) says nothing here: leaving out a dependency that checks who asks must not
go unnoticed, so it is refused.
"""

import sys
from collections.abc import Iterable
from typing import Any, get_args

from portico.web import params
from portico.web.exceptions import DefinitionError
from portico.web.responses import Response

PEERS = ("starlette", "fastapi")
OWN_ERRORS = ("RequestValidationError", "WebSocketRequestValidationError", "ResponseValidationError")
DECLARATIONS = frozenset(("Depends", "Security", "Path", "Query", "Header", "Cookie", "Body", "Form", "File", "Param"))


def refuse_declaration(name: str, *declarations: object) -> None:
    """Raise if one of what stands for a parameter's declaration, or in the list of dependencies, is the peer's."""
    for declaration in declarations:
        kind = type(declaration)
        if kind.__name__ in DECLARATIONS and _is_theirs(kind):
            raise params.ParameterError(
                f"{name} is declared with the {kind.__name__} of {kind.__module__}, which says nothing here: import "
                f"{kind.__name__} from portico.web"
            )


def refuse_handlers(handlers: Iterable[object]) -> None:
    """Raise if an exception handler is for one of the peer's errors that only its own validation raises."""
    for kind in handlers:
        if isinstance(kind, type) and kind.__name__ in OWN_ERRORS and _is_theirs(kind):
            raise DefinitionError(
                f"An exception handler is for the {kind.__name__} of {kind.__module__}, which is never raised here: "
                f"import {kind.__name__} from portico.web.exceptions"
            )


def refuse_files(name: str, kind: Any) -> None:
    """Raise if a parameter asks for the peer's class of uploaded files, which are of ours here."""
    for part in (kind, *get_args(kind)):
        if isinstance(part, type) and part.__name__ == "UploadFile" and _is_theirs(part):
            raise params.ParameterError(
                f"{name} asks for an UploadFile of {part.__module__}: import UploadFile from portico.web"
            )


def counterpart(kind: type, ours: tuple[type, ...]) -> type | None:
    """Return the one of our classes that stands for a peer's class, or for one derived from it."""
    for cls in kind.__mro__[:-1]:
        if _is_theirs(cls):
            for own in ours:
                if own.__name__ == cls.__name__:
                    return own
    return None


def response_types() -> tuple[type[Any], ...]:
    """Return the classes of what is a response as it is: ours, and the peer's if the program has loaded it."""
    theirs = getattr(sys.modules.get("starlette.responses"), "Response", Response)
    return (Response,) if theirs is Response else (Response, theirs)


def _is_theirs(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in PEERS
