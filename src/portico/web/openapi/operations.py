"""The operations of a path: a route as the document shows it, once for each of its methods."""

import warnings
from copy import deepcopy
from typing import Any

from portico.web.openapi.components import Schemas
from portico.web.openapi.constants import METHODS_WITH_BODY
from portico.web.openapi.described import Described, Operable
from portico.web.openapi.errors import add_invalid
from portico.web.openapi.parameters import add_examples, parameters, security
from portico.web.openapi.responses import merge, responses
from portico.web.plan.fields import ModelField


class Operations:
    """Writes operations, and collects what these refer to.

    Args:
        schemas: The schemas of all fields.
    """

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas
        self.definitions = schemas.definitions
        self.security_schemes: dict[str, Any] = {}
        self._ids: set[str] = set()

    def path_item(self, shown: Described) -> dict[str, Any]:
        """Return the Path Item Object of a route."""
        return {method.lower(): self._operation(shown, method) for method in shown.route.methods}

    def _operation(self, shown: Described, method: str) -> dict[str, Any]:
        route = shown.route
        operation = self._facts(route)
        schemes, asked = security(shown.taken)
        self.security_schemes |= schemes
        if asked:
            operation["security"] = asked
        if found := parameters(shown.taken, self.schemas):
            operation["parameters"] = found
        if route.body_field and method in METHODS_WITH_BODY:
            operation["requestBody"] = self._body(route.body_field)
        if shown.callbacks:
            operation["callbacks"] = {each.name: {each.path: self.path_item(each)} for each in shown.callbacks}
        operation["responses"] = responses(route, shown.errors, self.schemas)
        if shown.takes_values:
            add_invalid(operation["responses"], shown.errors, self.schemas)
        if route.openapi_extra:
            operation = deepcopy(operation)  # what it has is in other operations too
            merge(operation, route.openapi_extra)
        return operation

    def _facts(self, route: Operable) -> dict[str, Any]:
        facts: dict[str, Any] = {"tags": route.tags} if route.tags else {}
        facts["summary"] = route.summary or route.name.replace("_", " ").title()
        if route.description:
            facts["description"] = route.description
        facts["operationId"] = self._id(route)
        if route.deprecated:
            facts["deprecated"] = True
        return facts

    def _id(self, route: Operable) -> str:
        operation_id = route.operation_id or route.unique_id
        if operation_id in self._ids:
            name = getattr(route.endpoint, "__name__", repr(route.endpoint))
            where = getattr(route.endpoint, "__globals__", {}).get("__file__")
            message = f"Duplicate Operation ID {operation_id} for function {name}" + (f" at {where}" if where else "")
            warnings.warn(message, stacklevel=1)
        self._ids.add(operation_id)
        return operation_id

    def _body(self, field: ModelField) -> dict[str, Any]:
        info: Any = field.field_info
        media: dict[str, Any] = {"schema": self.schemas.of(field)}
        add_examples(media, info)
        body = {"content": {info.media_type: media}}
        return {"required": True, **body} if field.required else body
