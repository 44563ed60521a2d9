"""The Django project of `django_app`, as a WSGI application, with a stream and a download of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from tests.frameworks import django_app

FILE = Path(__file__)


def rows(request: HttpRequest) -> StreamingHttpResponse:
    def made() -> Iterator[str]:
        for number in range(100):
            yield f"row {number}\n"

    return StreamingHttpResponse(made(), content_type="text/csv")


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(FILE.open("rb"), as_attachment=True)


def read_lines(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(sum(1 for _ in request)))


def descriptors(request: HttpRequest) -> HttpResponse:
    """Tell how often this process has the file open."""
    mine = Path("/proc/self/fd")
    found = [os.readlink(each) for each in mine.iterdir() if each.is_symlink()] if mine.is_dir() else []
    return HttpResponse(str(found.count(str(FILE))))


django_app.urlpatterns += [
    path("rows/", rows),
    path("download/", download),
    path("lines/", read_lines),
    path("descriptors/", descriptors),
]
application = get_wsgi_application()
