"""Which media type a file has by its name: the same on every machine for what the web is made of."""

import os

TYPES = {
    ".avif": "image/avif", ".bin": "application/octet-stream", ".bmp": "image/bmp", ".br": "application/octet-stream",
    ".bz2": "application/x-bzip2", ".css": "text/css", ".csv": "text/csv", ".eot": "application/vnd.ms-fontobject",
    ".gif": "image/gif", ".gz": "application/gzip", ".htm": "text/html", ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon", ".ics": "text/calendar", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
    ".js": "text/javascript", ".json": "application/json", ".jsonl": "application/jsonl",
    ".jsonld": "application/ld+json", ".m4a": "audio/mp4", ".map": "application/json", ".md": "text/markdown",
    ".mjs": "text/javascript", ".mp3": "audio/mpeg", ".mp4": "video/mp4", ".mpeg": "video/mpeg", ".oga": "audio/ogg",
    ".ogg": "audio/ogg", ".ogv": "video/ogg", ".opus": "audio/ogg", ".otf": "font/otf", ".pdf": "application/pdf",
    ".png": "image/png", ".svg": "image/svg+xml", ".tgz": "application/gzip", ".tif": "image/tiff",
    ".tiff": "image/tiff", ".ttf": "font/ttf", ".txt": "text/plain", ".wasm": "application/wasm", ".wav": "audio/wav",
    ".weba": "audio/webm", ".webm": "video/webm", ".webmanifest": "application/manifest+json", ".webp": "image/webp",
    ".woff": "font/woff", ".woff2": "font/woff2", ".xhtml": "application/xhtml+xml", ".xml": "text/xml",
    ".xz": "application/x-xz", ".zip": "application/zip", ".zst": "application/zstd",
}  # fmt: skip
UNKNOWN = "application/octet-stream"


def guess_media_type(name: str) -> str:
    """Return the media type that the name's extension stands for; rare ones are asked of the machine's own list."""
    extension = os.path.splitext(name)[1]
    known = TYPES.get(extension) or TYPES.get(extension.lower())
    if known is not None:
        return known
    if not extension:
        return UNKNOWN
    from mimetypes import guess_type  # here, since its first call reads the machine's lists

    return guess_type(name)[0] or UNKNOWN


def field_of(media_type: str) -> bytes:
    """Return the Content-Type field of a file with that media type: texts are UTF-8."""
    if media_type.startswith("text/") and "charset=" not in media_type.lower():
        media_type += "; charset=utf-8"
    return media_type.encode("latin-1")
