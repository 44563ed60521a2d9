"""A Django project in one file: a form, a stream, an upload, a session cookie and Django's own 404."""

import asyncio
from collections.abc import AsyncIterator

import django
from django import forms
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for tests",
    USE_TZ=True,
)
django.setup()


class Greeting(forms.Form):
    name = forms.CharField(max_length=20)
    times = forms.IntegerField(min_value=1, max_value=3)


def greet(request: HttpRequest) -> HttpResponse:
    """Validate a form in a synchronous view."""
    form = Greeting(request.POST)
    if not form.is_valid():
        return JsonResponse(form.errors, status=422)
    return HttpResponse(f"Hello {form.cleaned_data['name']}! " * form.cleaned_data["times"])


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def rows() -> AsyncIterator[str]:
        for number in range(100):
            yield f"row {number}\n"
            await asyncio.sleep(0)

    return StreamingHttpResponse(rows(), content_type="text/csv")


def upload(request: HttpRequest) -> JsonResponse:
    file = request.FILES["file"]
    assert not isinstance(file, list)
    return JsonResponse({"name": file.name, "size": file.size, "note": request.POST["note"]})


def visit(request: HttpRequest) -> HttpResponse:
    visits = int(request.COOKIES.get("visits", 0)) + 1
    response = HttpResponse(str(visits))
    response.set_cookie("visits", str(visits), httponly=True)
    response.set_cookie("last", request.path)
    return response


def about(request: HttpRequest, what: str) -> JsonResponse:
    return JsonResponse(
        {
            "what": what,
            "method": request.method,
            "path": request.path,
            "query": request.GET.dict(),
            "secure": request.is_secure(),
            "host": request.get_host(),
            "client": request.META["REMOTE_ADDR"],
        }
    )


def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a view that fails")


urlpatterns = [
    path("greet/", greet),
    path("stream/", stream),
    path("upload/", upload),
    path("visit/", visit),
    path("about/<str:what>/", about),
    path("crash/", crash),
]
app = get_asgi_application()
