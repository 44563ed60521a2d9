"""Tests that a list names by pattern, each with a reason; `*` in a pattern stands for anything."""

import re
from collections.abc import Iterable


class Listed:
    """Answers why a test is listed."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = list(pairs)
        # Not fnmatch: the brackets of a node id mean themselves.
        self._patterns = [(re.compile(re.escape(text).replace(r"\*", ".*")), reason) for text, reason in self.pairs]

    def reason(self, test: str) -> str | None:
        """Return the reason of the first pattern that `test` matches, or None."""
        return next((reason for pattern, reason in self._patterns if pattern.fullmatch(test)), None)
