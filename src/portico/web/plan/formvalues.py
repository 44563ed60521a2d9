"""Values out of a form: what each field of it is for the parameters and for the fields of models.

A browser sends empty text for what was not filled in and a nameless empty file for what was not chosen: both count as
absent.
"""

from collections.abc import Callable, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from portico.web.datastructures import FormData, UploadFile
from portico.web.params import File
from portico.web.plan.annotations import SEQUENCES, is_bytes, is_bytes_sequence, is_sequence, is_union
from portico.web.plan.fields import ModelField, Undefined, model_fields
from portico.web.plan.values import is_json_field, multidict_extras, value_aliases

__all__ = ["FormField", "FormGroup", "FormModel", "FormShape", "read_file_bytes"]

WHOLE = ("body",)


async def read_file_bytes(file: UploadFile) -> bytes:
    """Return the content from the position on, and leave the position: other parameters may have the same file."""
    position = file.file.tell()
    try:
        return await file.read()
    finally:
        await file.seek(position)


def _is_unchosen_file(value: Any) -> bool:
    return isinstance(value, UploadFile) and value.filename == "" and value.size == 0


class FormField:
    """Finds the value of one field in a form.

    Args:
        field: The parameter, or the field of a model.
    """

    __slots__ = ("as_list", "collect", "field", "names", "reads_file", "reads_files")

    def __init__(self, field: ModelField) -> None:
        annotation = field.field_info.annotation
        self.field = field
        self.names = [name for name, _ in value_aliases(field)]
        self.as_list = is_sequence(annotation) and not is_json_field(field)
        is_file = isinstance(field.field_info, File)
        self.reads_file = is_file and is_bytes(annotation)
        self.reads_files = is_file and is_bytes_sequence(annotation)
        self.collect = _collector(annotation)

    def find(self, form: FormData, processed: set[str] | None = None) -> tuple[str, Any]:
        """Return the value and the name that it is found under; `Undefined` under the first name if there is none.

        Args:
            form: The form.
            processed: Takes the names that were looked at: those after the one that is found are left to others.
        """
        for name in self.names:
            if processed is not None:
                processed.add(name)
            value = self._at(form, name)
            if value is not Undefined:
                return name, value
        return self.names[0], Undefined

    async def read(self, form: FormData) -> tuple[Any, tuple[str, ...]]:
        """Return the value and its place; `Undefined` if there is none."""
        name, value = self.find(form)
        if self.reads_file or self.reads_files:
            value = await self.with_content(value)
        return value, ("body", name)

    def _at(self, form: FormData, name: str) -> Any:
        if self.as_list:
            return [item for item in form.getlist(name) if not _is_unchosen_file(item)] or Undefined
        value = form.get(name)
        if value is None or value == "" or _is_unchosen_file(value):
            return Undefined
        return value

    async def with_content(self, value: Any) -> Any:
        """Return the content of files in the place of the files, where bytes are asked for."""
        if self.reads_file and isinstance(value, UploadFile):
            return await read_file_bytes(value)
        if self.reads_files and isinstance(value, list):
            return self.collect(
                [await read_file_bytes(item) if isinstance(item, UploadFile) else item for item in value]
            )
        return value


def _collector(annotation: Any) -> Callable[[Any], Any]:
    """Return what makes the annotated kind of sequence of a list."""
    for choice in get_args(annotation) if is_union(annotation) else (annotation,):
        kind = get_origin(choice) or choice
        if kind in SEQUENCES:
            return SEQUENCES[kind]
    return list


class FormGroup:
    """Fields that are read from a form together, with what else the form has."""

    __slots__ = ("fields", "reads_content")

    def __init__(self, fields: Sequence[ModelField]) -> None:
        self.fields = [FormField(field) for field in fields]
        self.reads_content = any(field.reads_file or field.reads_files for field in self.fields)

    def shape(self, form: FormData) -> dict[str, Any]:
        """Return the values by name, and those that no field has taken."""
        processed: set[str] = set()
        values: dict[str, Any] = {}
        for field in self.fields:
            name, value = field.find(form, processed)
            if value is not Undefined:
                values[name] = value
        values.update(multidict_extras(form, processed))
        return values

    async def read(self, form: FormData) -> dict[str, Any]:
        """Return the same with the content of files where bytes are asked for."""
        if not self.reads_content:
            return self.shape(form)
        processed: set[str] = set()
        values: dict[str, Any] = {}
        for field in self.fields:
            name, value = field.find(form, processed)
            if value is not Undefined:
                values[name] = await field.with_content(value)
        values.update(multidict_extras(form, processed))
        return values


class FormModel:
    """Reads one parameter that is a model, or a union of models, out of a form.

    Args:
        field: The parameter. If it may be None it is that, or its default, where the form has nothing of the models.
        models: The model, or those of the union.
    """

    __slots__ = ("field", "group", "is_optional", "names", "takes_extras")

    def __init__(self, field: ModelField, models: Sequence[type[BaseModel]]) -> None:
        self.field = field
        self.is_optional = type(None) in get_args(field.field_info.annotation)
        # Each model of a union shapes the values for itself, when it is tried.
        self.group = FormGroup(model_fields(models[0]) if len(models) == 1 else ())
        self.names = [{name for member in model_fields(model) for name, _ in value_aliases(member)} for model in models]
        self.takes_extras = any(model.model_config.get("extra") in ("allow", "forbid") for model in models)

    def is_supplied(self, form: FormData) -> bool:
        """Tell whether the form has anything of one of the models, be it empty."""
        if self.takes_extras and form:
            return True
        return any(not names.isdisjoint(form) for names in self.names)

    async def read(self, form: FormData) -> tuple[Any, tuple[str, ...]]:
        """Return what the model is made of, and its place; `Undefined` for nothing."""
        if self.is_optional and not self.is_supplied(form):
            return Undefined, WHOLE
        return await self.group.read(form), WHOLE


class FormShape:
    """Shapes the values of a form as one model of a union reads them; lists are where a name came several times."""

    __slots__ = ("group", "model")

    def __init__(self, model: type[BaseModel]) -> None:
        self.model = model
        self.group: FormGroup | None = None  # made when first used, for the model may not be complete yet

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if self.group is None:
            self.group = FormGroup(model_fields(self.model))
        form = FormData(
            [(key, item) for key, items in value.items() for item in (items if isinstance(items, list) else [items])]
        )
        shaped = self.group.shape(form)
        # No browser sends None or an empty list, but a validator around the union may put them in.
        shaped.update((key, item) for key, item in value.items() if item is None or (item == [] and type(item) is list))
        return shaped
