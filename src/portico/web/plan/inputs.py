"""What a callable takes from the path, query, header fields and cookies of a request.

One reader for each parameter, chosen when the plan is made; a request only runs them. Text goes to pydantic one
parameter at a time: a single validator over a dictionary of all of them measured half as slow again, for the dictionary
has to be made and taken apart.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import ValidationError

from portico.web.connections import HTTPConnection
from portico.web.datastructures.multidict import parse_query
from portico.web.plan.defaults import default_of, is_constant
from portico.web.plan.dependant import Dependant
from portico.web.plan.fields import ModelField, Undefined, located, missing_error
from portico.web.plan.parametermodels import ParameterModel, parameter_model
from portico.web.plan.values import FieldValue, value_aliases

Errors = list[Any]
NOTHING: Mapping[str, Any] = {}


class Reader:
    """Reads one parameter: a text under one name, validated."""

    __slots__ = ("constant", "default", "field", "key", "loc", "name", "validate")

    def __init__(self, field: ModelField, where: str, key: str) -> None:
        self.field = field
        self.name = field.name
        self.key = key
        self.loc = (where, key)
        default = default_of(field)
        self.default = default
        # One that is the same each time is put in without a call.
        self.constant = default(self.loc) if default is not None and is_constant(field) else None
        # Text that is asked for as just that needs no validator.
        plain = field.field_info.annotation is str and not field.field_info.metadata
        self.validate: Callable[[Any], Any] | None = None if plain else field.validator.validate_python

    def read(self, source: Mapping[str, Any], values: dict[str, Any], errors: Errors) -> None:
        """Put the parameter into the values, or what is wrong with it into the errors."""
        value = source.get(self.key)
        if value is None:
            self.put_default(values, errors)
            return
        validate = self.validate
        if validate is None and type(value) is str:
            values[self.name] = value
            return
        try:
            values[self.name] = (validate or self.field.validator.validate_python)(value)
        except ValidationError as error:
            errors += located(error, self.loc)

    def put_default(self, values: dict[str, Any], errors: Errors) -> None:
        """Put in what the parameter is where the request does not have it."""
        if self.constant is not None:
            values[self.name] = self.constant[0]
            return
        default = self.default
        if default is None:
            errors.append(missing_error(self.loc))
            return
        value, wrong = default(self.loc)
        if wrong:
            errors += wrong
        else:
            values[self.name] = value


class ChoiceReader(Reader):
    """Reads one parameter that has several values, or may go by several names."""

    __slots__ = ("keys", "value")

    def __init__(self, field: ModelField, where: str, keys: Sequence[str], value: FieldValue) -> None:
        super().__init__(field, where, keys[0])
        self.keys = keys
        self.value = value

    def read(self, source: Mapping[str, Any], values: dict[str, Any], errors: Errors) -> None:
        key = self.keys[0]
        for name in self.keys:
            if name in source:
                key = name
                break
        value = self.value.find(source, key)
        if value is Undefined:
            self.put_default(values, errors)
            return
        value, wrong = self.field.validate(value, loc=(self.loc[0], key))
        if wrong:
            errors += wrong
        else:
            values[self.name] = value


class ModelReader:
    """Reads a pydantic model whose fields are parameters."""

    __slots__ = ("model", "name")

    def __init__(self, field: ModelField) -> None:
        self.name = field.name
        self.model = ParameterModel(field)

    def read(self, source: Mapping[str, Any], values: dict[str, Any], errors: Errors) -> None:
        """Put the model into the values, or what is wrong with it into the errors."""
        value, wrong = self.model.read(source)
        if wrong:
            errors += wrong
        else:
            values[self.name] = value


AnyReader = Reader | ModelReader


class Inputs:
    """Everything that one callable takes from the request besides its body."""

    __slots__ = ("cookies", "headers", "path", "plain_query", "query")

    def __init__(self, dependant: Dependant) -> None:
        self.path = readers(dependant.path_params, "path")
        self.query = readers(dependant.query_params, "query")
        # Of several values by one name the last counts, unless a list or a model is wanted.
        self.plain_query = all(type(reader) is Reader for reader in self.query)
        self.headers = readers(dependant.header_params, "header")
        self.cookies = readers(dependant.cookie_params, "cookie")

    @classmethod
    def of(cls, dependant: Dependant) -> "Inputs | None":
        """Return what the callable takes, None for nothing."""
        inputs = cls(dependant)
        return inputs if inputs.path or inputs.query or inputs.headers or inputs.cookies else None

    def read(self, conn: HTTPConnection[Any], values: dict[str, Any], errors: Errors) -> None:
        """Put the parameters into the values by name, and what is wrong with them into the errors, in order."""
        if self.path:
            source = conn.scope.get("path_params") or {}
            for reader in self.path:
                reader.read(source, values, errors)
        if self.query:
            query: Mapping[str, Any]
            if self.plain_query:
                text = conn.scope["query_string"]
                query = dict(parse_query(text)) if text else NOTHING
            else:
                query = conn.query_params
            for reader in self.query:
                reader.read(query, values, errors)
        if self.headers:
            headers = conn.headers
            for reader in self.headers:
                reader.read(headers, values, errors)
        if self.cookies:
            cookies = conn.cookies
            for reader in self.cookies:
                reader.read(cookies, values, errors)


def readers(fields: Sequence[ModelField], where: str) -> tuple[AnyReader, ...]:
    """Return the readers of the fields that one part of the request has."""
    return tuple(_reader(field, where) for field in fields)


def _reader(field: ModelField, where: str) -> AnyReader:
    if parameter_model(field) is not None:
        return ModelReader(field)
    keys = [key for _, key in value_aliases(field)]
    value = FieldValue(field)
    if len(keys) == 1 and not value.is_sequence:
        return Reader(field, where, keys[0])
    return ChoiceReader(field, where, keys, value)
