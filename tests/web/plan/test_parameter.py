from enum import Enum
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, BaseModel, Field
from typing_extensions import TypeAliasType

from portico.web.background import BackgroundTasks
from portico.web.connections import HTTPConnection
from portico.web.datastructures import UploadFile
from portico.web.exceptions import DefinitionError
from portico.web.params import Body, Cookie, Depends, File, Form, Header, ParameterError, Path, Query
from portico.web.plan.fields import ModelField
from portico.web.plan.parameter import EMPTY, Parameter, read_parameter
from portico.web.requests import Request
from portico.web.responses import JSONResponse, Response
from portico.web.security import SecurityScopes
from portico.web.websockets import WebSocket


class Model(BaseModel):
    a: int


class Color(Enum):
    red = "red"


def dependency() -> int:
    return 1


def read(annotation: Any = EMPTY, default: Any = EMPTY, *, path: frozenset[str] = frozenset()) -> Parameter:
    return read_parameter("name", annotation, default, path)


def field(annotation: Any = EMPTY, default: Any = EMPTY, **more: Any) -> ModelField:
    found = read(annotation, default, **more).field
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (EMPTY, Query),
        (int, Query),
        (str | None, Query),
        (Color, Query),
        (list[int], Body),
        (Model, Body),
        (Model | None, Body),
        (dict[str, int], Body),
        (UploadFile, File),
        (list[UploadFile] | None, File),
        (Annotated[int, "said"], Query),
        (Annotated[Model, "said"], Body),
        (TypeAliasType("Alias", Annotated[int, Header()]), Header),
        (TypeAliasType("Alias", TypeAliasType("Inner", Model)), Body),
    ],
)
def test_the_type_says_where_a_parameter_is(annotation: Any, kind: type) -> None:
    assert type(field(annotation).field_info) is kind


def test_a_parameter_of_the_path_is_there_whatever_its_default() -> None:
    found = field(int, 5, path=frozenset(("name",)))
    assert type(found.field_info) is Path
    assert found.required


@pytest.mark.parametrize("declaration", [Query(), Header(), Cookie(), Body(), Form(), File()])
def test_a_declaration_counts_in_annotated_and_as_the_default(declaration: Any) -> None:
    assert type(field(Annotated[bytes, declaration]).field_info) is type(declaration)
    assert type(field(bytes, declaration).field_info) is type(declaration)


def test_of_several_declarations_the_last_counts() -> None:
    assert type(field(Annotated[int, Query(), Header()]).field_info) is Header


def test_the_default_of_an_annotated_parameter_follows_the_equals_sign() -> None:
    annotation = Annotated[int, Query(ge=1)]
    assert field(annotation).required
    assert field(annotation, 5).default == 5
    assert field(annotation, None).default is None


def test_a_declaration_may_have_a_factory_for_the_default() -> None:
    assert field(Annotated[list[int], Query(default_factory=lambda: [1])]).default == [1]


def test_metadata_beside_a_declaration_is_merged_into_it() -> None:
    annotation = Annotated[int, Field(description="D", le=5, alias="a"), Query(ge=1, title="T")]
    info = field(annotation).field_info
    assert (info.description, info.title, info.alias) == ("D", "T", "a")
    assert field(annotation).validate("6")[1][0]["type"] == "less_than_equal"
    assert field(annotation).validate("0")[1][0]["type"] == "greater_than_equal"


def test_metadata_beside_a_declaration_in_the_default_does_not_count() -> None:
    found = field(Annotated[int, Field(le=5, title="T")], Query(3, ge=1))
    assert (found.default, found.field_info.title, found.field_info.annotation) == (3, None, int)
    assert [bool(found.validate(value)[1]) for value in ("0", "1", "6")] == [True, False, False]


def test_none_takes_back_what_metadata_says() -> None:
    info = field(Annotated[int, Field(description="D", alias="a"), Query(description=None, alias=None)]).field_info
    assert (info.description, info.alias, info.validation_alias) == (None, "name", None)


def test_metadata_alone_is_kept_too() -> None:
    found = field(Annotated[int, Field(ge=1, title="T")], 3)
    assert (type(found.field_info), found.field_info.title, found.default) == (Query, "T", 3)
    assert found.validate("0")[1]


def test_a_declaration_may_be_shared() -> None:
    shared = Query(None, description="D")
    first = read_parameter("first", int, shared, set()).field
    second = read_parameter("second", str, shared, set()).field
    assert first is not None
    assert second is not None
    assert (first.alias, second.alias, shared.alias) == ("first", "second", None)
    assert (first.field_info.annotation, second.field_info.annotation) == (int, str)


def test_header_names_have_hyphens() -> None:
    def alias(header: Header) -> str | None:
        found = read_parameter("user_agent", str, header, set()).field
        return None if found is None else found.alias

    assert alias(Header()) == "user-agent"
    assert alias(Header(convert_underscores=False)) == "user_agent"
    assert alias(Header(alias="Agent_X")) == "Agent_X"


def test_of_the_aliases_of_a_path_parameter_the_one_in_the_path_counts() -> None:
    choices = Path(validation_alias=AliasChoices("a", "b"))
    found = read_parameter("name", int, choices, {"b"}).field
    assert found is not None
    assert found.validation_alias == "b"
    assert choices.validation_alias == AliasChoices("a", "b")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Request, "request_param_name"),
        (WebSocket, "websocket_param_name"),
        (HTTPConnection, "http_connection_param_name"),
        (Response, "response_param_name"),
        (JSONResponse, "response_param_name"),
        (BackgroundTasks, "background_tasks_param_name"),
        (SecurityScopes, "security_scopes_param_name"),
        (Annotated[Request, "said"], "request_param_name"),
    ],
)
def test_objects_of_the_framework_are_known_by_type(kind: Any, name: str) -> None:
    assert read(kind) == Parameter(object_name=name)


def test_a_dependency_counts_in_annotated_and_as_the_default() -> None:
    assert read(Annotated[int, Depends(dependency)]).depends == Depends(dependency)
    assert read(int, Depends(dependency)).depends == Depends(dependency)
    assert read(Annotated[Request, Depends(dependency)]).depends == Depends(dependency)


def test_without_a_callable_a_dependency_is_its_type() -> None:
    assert read(Annotated[Model, Depends(use_cache=False)]).depends == Depends(Model, use_cache=False)
    assert read(Model, Depends()).depends == Depends(Model)


@pytest.mark.parametrize(
    ("annotation", "default", "message"),
    [
        (Annotated[int, Query(1)], EMPTY, "`Query` default value cannot be set in `Annotated` for 'name'"),
        (Annotated[int, Depends(dependency)], Depends(dependency), "Cannot specify `Depends` in `Annotated` and"),
        (Annotated[int, Query()], Depends(dependency), "Cannot specify a FastAPI annotation in `Annotated` and `Dep"),
        (Annotated[int, Query()], Query(), "parameter 'name' is declared twice"),
        (Annotated[int, Depends(dependency)], Query(), "parameter 'name' is declared twice"),
        (Annotated[Request, Query()], EMPTY, "parameter 'name' is a Request, which the framework makes"),
        (Request, Query(), "parameter 'name' is a Request, which the framework makes"),
        (int, Field(ge=1), r"declared with pydantic's Field\(\)"),
        (Annotated[Model, Query()], EMPTY, None),
        (Annotated[list[Model], Query()], EMPTY, "Query parameter 'name' must be one of the supported types"),
        (Annotated[dict[str, int], Query()], EMPTY, "Query parameter 'name' must be one of the supported types"),
    ],
)
def test_contradictions_are_refused(annotation: Any, default: Any, message: str | None) -> None:
    if message is None:
        assert read(annotation, default).field
        return
    with pytest.raises(ParameterError, match=message):
        read(annotation, default)


@pytest.mark.parametrize(
    ("annotation", "default", "message"),
    [
        (Annotated[int, Query()], EMPTY, "Cannot use `Query` for path param 'name'"),
        (int, Header(), "Cannot use `Header` for path param 'name'"),
        (int, Field(), "Cannot use `FieldInfo` for path param 'name'"),
        (Annotated[int, Path()], 1, "parameter 'name' is in the path, so it is never missing"),
        (Model, EMPTY, "Path params must be of one of the supported types"),
        (list[int], EMPTY, "Path params must be of one of the supported types"),
    ],
)
def test_what_cannot_be_in_the_path_is_refused(annotation: Any, default: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        read(annotation, default, path=frozenset(("name",)))


def test_a_type_that_pydantic_does_not_know_is_refused() -> None:
    class Unknown: ...

    with pytest.raises(DefinitionError, match=r"parameter 'name' .* pydantic cannot validate: .*Depends"):
        read(Unknown)
