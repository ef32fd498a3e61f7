"""Static files under their digests: a changed file has a new address, so every answer may be kept for ever."""

from __future__ import annotations

import hashlib
import json
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

FOLDER = Path(__file__).parent / "static"
BUILT = Path(__file__).parent / "built"  # what `npm run build` in web/ leaves, with its manifest


@dataclass(frozen=True)
class Asset:
    """One file, as served: `shudu.css` at `shudu.0123abcd4567.css`."""

    address: str
    content: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """Every file of the folder by its plain name; read once, they are few and small."""
    found = {}
    for file in sorted(path for path in FOLDER.iterdir() if path.is_file()):
        content = file.read_bytes()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        address = f"{file.stem}.{hashlib.sha256(content).hexdigest()[:12]}{file.suffix}"
        found[file.name] = Asset(address, content, f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
    return found | built()


def built() -> dict[str, Asset]:
    """The style sheet and the scripts by the name of their source, from Vite's manifest: `main.ts`, `shudu.css`."""
    try:
        manifest = json.loads((BUILT / "manifest.json").read_text("utf-8"))
    except OSError:
        raise ImproperlyConfigured(
            "The pages' style sheet and scripts are not built. Run `make setup` (it needs Node and npm)."
        ) from None
    found = {}
    for source, chunk in manifest.items():
        name = chunk["file"]
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        found[Path(source).name] = Asset(name, (BUILT / name).read_bytes(), f"{kind}; charset=utf-8")
    return found


@require_safe
def serve(request: HttpRequest, address: str) -> HttpResponse:
    """The file at that address, for a year."""
    for asset in assets().values():
        if asset.address == address:
            headers = {"Cache-Control": "public, max-age=31536000, immutable"}
            return HttpResponse(asset.content, content_type=asset.media_type, headers=headers)
    raise Http404
