"""The values that requests and responses are made of: URLs, fields, parameters, forms, state."""

from portico.web.datastructures.defaults import Default, DefaultPlaceholder
from portico.web.datastructures.headers import Headers, MutableHeaders
from portico.web.datastructures.multidict import ImmutableMultiDict, MultiDict, QueryParams
from portico.web.datastructures.settings import CommaSeparatedStrings, Secret
from portico.web.datastructures.state import State
from portico.web.datastructures.uploads import FormData, UploadFile
from portico.web.datastructures.urls import URL, Address, URLPath

__all__ = [
    "URL",
    "Address",
    "CommaSeparatedStrings",
    "Default",
    "DefaultPlaceholder",
    "FormData",
    "Headers",
    "ImmutableMultiDict",
    "MultiDict",
    "MutableHeaders",
    "QueryParams",
    "Secret",
    "State",
    "URLPath",
    "UploadFile",
]
