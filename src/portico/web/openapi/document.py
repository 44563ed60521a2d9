"""The document itself: all routes of an application, and what it says about itself."""

from collections.abc import Sequence
from typing import Any

from portico.web.openapi.components import Schemas
from portico.web.openapi.described import Described, described, fields_of
from portico.web.openapi.models import Info, OpenAPI
from portico.web.openapi.operations import Operations
from portico.web.routing import BaseRoute, RouteContext


def get_openapi(
    *,
    title: str,
    version: str,
    openapi_version: str = "3.1.0",
    summary: str | None = None,
    description: str | None = None,
    routes: Sequence[BaseRoute | RouteContext],
    webhooks: Sequence[BaseRoute | RouteContext] | None = None,
    tags: list[dict[str, Any]] | None = None,
    servers: list[dict[str, str | Any]] | None = None,
    terms_of_service: str | None = None,
    contact: dict[str, str | Any] | None = None,
    license_info: dict[str, str | Any] | None = None,
    separate_input_output_schemas: bool = True,
    external_docs: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the OpenAPI document of the routes, as what JSON can hold.

    Args:
        title: The API's name.
        version: The API's own version.
        openapi_version: The version of the specification that the document claims.
        summary: What it is, in a line.
        description: What it is, in Markdown.
        routes: The routes; those without typed endpoints, and those with `include_in_schema=False`, are left out.
        webhooks: Routes that say what the API will call.
        tags: What the tags of operations mean, in the order that pages show them in.
        servers: Where the API is served, if not where the document is.
        terms_of_service: The URL of the terms.
        contact: Whom to ask: `name`, `url`, `email`.
        license_info: The licence: `name`, and `identifier` or `url`.
        separate_input_output_schemas: Whether a model may have one schema for requests and another for responses.
        external_docs: More documentation: `url`, `description`.
    """
    shown, called = described(routes), described(webhooks or ())
    schemas = Schemas(fields_of([*shown, *called]), separate=separate_input_output_schemas)
    operations = Operations(schemas)
    paths, webhook_paths = _paths(shown, operations), _paths(called, operations)
    components: dict[str, Any] = {
        "schemas": dict(sorted(operations.definitions.items())),
        "securitySchemes": operations.security_schemes,
    }
    info: dict[str, Any] = {
        "summary": summary,
        "description": description,
        "termsOfService": terms_of_service,
        "contact": contact,
        "license": license_info,
    }
    parts: dict[str, Any] = {
        "servers": servers,
        "components": {name: part for name, part in components.items() if part},
        "webhooks": webhook_paths,
        "tags": tags,
        "externalDocs": external_docs,
    }
    document = OpenAPI(
        openapi=openapi_version,
        info=Info(title=title, version=version, **{name: value for name, value in info.items() if value}),
        **{name: part for name, part in parts.items() if part},
        paths=paths,  # type: ignore[arg-type]  # pydantic makes them Path Item Objects
    )
    found: dict[str, Any] = _without_none(document.model_dump(mode="json", by_alias=True, exclude_none=True))
    return found


def _paths(shown: Sequence[Described], operations: Operations) -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for each in shown:
        paths.setdefault(each.route.path_format, {}).update(operations.path_item(each))
    return paths


def _without_none(value: Any) -> Any:
    """Return the value without the members that are None, in what pydantic does not look into too."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value
