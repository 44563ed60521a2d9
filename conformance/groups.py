"""The groups of FastAPI's tests, by what they are about, for a report that says where something is missing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch

# A test belongs to the first group that has a pattern for its module, whose path is below `tests`.
GROUPS = {
    "telemetry": ("test_telemetry/*", "test_tutorial/test_opentelemetry/*"),
    "tutorial": ("test_tutorial/*",),
    "request_params matrix": ("test_request_params/*",),
    "dependencies": (
        "test_*dependenc*",
        "test_depends_*",
        "test_generic_parameterless_depends*",
        "test_concurrency*",
        "test_http_connection_injection*",
    ),
    "security": ("test_*security*",),
    "body and form limits": ("test_form_limits*", "test_request_body_limits*"),
    "forms and files": (
        "test_form*",
        "test_union_form*",
        "test_file_*",
        "test_optional_file_list*",
        "test_list_bytes_file_*",
        "test_upload_file_*",
        "test_multipart_installation*",
        "test_datastructures*",
    ),
    "routing, routers, frontend": (
        "test_router_*",
        "test_route_*",
        "test_include_route*",
        "test_frontend*",
        "test_custom_route_class*",
        "test_empty_router*",
        "test_extra_routes*",
        "test_generate_unique_id_function*",
        "test_ws_router*",
        "test_callable_endpoint*",
        "test_starlette_urlconvertors*",
        "test_application*",
        "test_sub_callbacks*",
    ),
    "streaming": ("test_stream_*", "test_sse*"),
    "errors": (
        "test_exception_handlers*",
        "test_starlette_exception*",
        "test_validation_error_context*",
        "test_custom_middleware_exception*",
        "test_pydantic_v1_error*",
        "test_multi_*_errors*",
    ),
    "OpenAPI and docs": (
        "test_openapi_*",
        "test_additional_*",
        "test_*swagger_ui*",
        "test_local_docs*",
        "test_schema_*",
        "test_get_model_definitions_*",
        "test_duplicate_models_openapi*",
        "test_no_schema_split*",
        "test_custom_schema_fields*",
        "test_modules_same_name_body/*",
    ),
    "response models, serialization": (
        "test_response_*",
        "test_serialize_*",
        "test_validate_response*",
        "test_skip_defaults*",
        "test_filter_pydantic_*",
        "test_read_with_orm_mode*",
        "test_dump_json_fast_path*",
        "test_jsonable_encoder*",
        "test_default_response_class*",
        "test_*json_response_class*",
        "test_deprecated_responses*",
        "test_computed_fields*",
        "test_return_none_*",
        "test_arbitrary_types*",
        "test_datetime_custom_encoder*",
    ),
    "params misc": (
        "test_*param*",
        "test_*query*",
        "test_*body*",
        "test_header_*",
        "test_cookie_*",
        "test_path*",
        "test_annotated*",
        "test_tuples*",
        "test_json_type*",
        "test_regex_*",
        "test_repeated_*",
        "test_required_noneable*",
        "test_nested_annotated_*",
        "test_strict_content_type_*",
        "test_allow_inf_nan_*",
        "test_stringified_annotations_simple*",
    ),
}
OTHER = "other"


def group_of(test: str) -> str:
    """Return the group of a test, given by its node id."""
    module = test.partition("::")[0].removeprefix("tests/")
    for group, patterns in GROUPS.items():
        if any(fnmatch(module, pattern) for pattern in patterns):
            return group
    return OTHER


def print_groups(results: Mapping[str, Sequence[str]], left_out: Iterable[str]) -> None:
    """Print a line for each group: how its tests ended.

    Args:
        results: The outcome of each test, and what it said.
        left_out: The tests that were not run.
    """
    unrun = Counter(map(group_of, left_out))
    counts = {group: Counter[str]() for group in (*GROUPS, OTHER)}
    for test, (outcome, _) in results.items():
        counts[group_of(test)][outcome] += 1
    print(f"{'group':<32}{'left out':>9}{'skipped':>9}{'failed':>8}{'passed':>8}{'%':>9}")
    for group, outcomes in counts.items():
        passed, failed = outcomes["passed"], outcomes["failed"] + outcomes["error"]
        skipped = outcomes.total() - passed - failed
        share = f"{100 * passed / (passed + failed):9.2f}" if passed + failed else f"{'-':>9}"
        print(f"{group:<32}{unrun[group]:>9}{skipped:>9}{failed:>8}{passed:>8}{share}")
