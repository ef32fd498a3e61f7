"""Pages that take files: each goes to a private folder as it comes and is gone when the request ends."""

from __future__ import annotations

from functools import wraps
from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from shudu.collect import actions
from shudu.collect import queries as collect
from shudu.collect.types import CreateUpload
from shudu.policy.api import Upload
from shudu.policy.types import Actor

from .acting import View
from .api.uploads import Spool, discard
from .forms import key_of, typed, wrong

PART_BYTES = 16 << 20  # made durable together; a person's file is here already, so no line can break


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


def kept(request: HttpRequest, actor: Actor) -> collect.Upload:
    """The file of the form as a complete upload, which stays when the request ends; the same form sent twice, once."""
    file = uploaded(request)
    if not file.size:
        raise wrong("file", "文件是空的。", "The file is empty.")
    wanted = typed(CreateUpload, name=file.name, size=file.size, sha256=file.sha256)
    row = actions.create_upload(actor, wanted, idempotency_key=key_of(request))
    with file.path.open("rb") as source:
        source.seek(row.offset)
        while row.offset < row.size and (part := source.read(PART_BYTES)):
            row = actions.append_upload(actor, row.id, row.offset, part)
    done: collect.Upload = actions.complete_upload(actor, row.id)
    return done


def uploaded(request: HttpRequest) -> Upload:
    """The file of the form."""
    file = request.FILES.get("file")
    if file is None:
        raise wrong("file", "还没有选文件。", "No file was chosen.")
    return cast(Upload, file)
