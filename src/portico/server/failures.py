"""What is logged of code that cannot be imported or started: a sentence, and below it the traceback as Python has it.

The frames are the application's and its libraries': how the server and the import system came to run them helps nobody.
"""

import importlib
import os
import traceback

from portico.asgi import PorticoError

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
MACHINERY = (importlib.__file__, "<frozen importlib", "<frozen runpy", HERE)


def explain(error: BaseException) -> str:
    """Return the text of the error with the place in the source that is to be mended, a caret below it."""
    cause = error.__cause__ if isinstance(error, PorticoError) else error
    if cause is None:
        return str(error)
    report = traceback.TracebackException.from_exception(cause)
    seen: set[int] = set()
    waiting: list[traceback.TracebackException | None] = [report]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.stack = traceback.StackSummary.from_list(
            [frame for frame in each.stack if not frame.filename.startswith(MACHINERY)]
        )
        waiting += [each.__cause__, each.__context__, *(each.exceptions or ())]
    text = "".join(report.format()).rstrip()
    return text if cause is error else f"{error}\n{text}"


def summarize(error: PorticoError) -> str:
    """Return how a startup failed, without the traceback if that is logged already."""
    said = str(error).strip()
    if error.__cause__ is None or "\n" not in said:
        return said
    raised = traceback.format_exception_only(error.__cause__)[0].strip()
    return f"the application's startup failed: {raised}"
