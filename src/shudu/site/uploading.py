"""Pages that take files: each goes to a private folder as it comes and is gone when the request ends."""

from __future__ import annotations

from functools import wraps
from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from shudu.policy.api import Upload

from .acting import View
from .api.uploads import Spool, discard
from .forms import wrong


def takes_file(view: View) -> View:
    """The handler must be in place before anyone reads the form, and the check of its token reads it."""
    protected = csrf_protect(view)

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.upload_handlers = [Spool(request)]
        try:
            return protected(request, *args, **kwargs)
        finally:
            discard(request)

    return cast(View, answer)


def uploaded(request: HttpRequest) -> Upload:
    """The file of the form."""
    file = request.FILES.get("file")
    if file is None:
        raise wrong("file", "还没有选文件。", "No file was chosen.")
    return cast(Upload, file)
