"""Uploads go to disk as they come, into a private folder in the home, and are gone when the call ends.

Each call's folder is held by a lock for as long as the call lives, so what a killed process left behind is known by
having no holder, and the next upload removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest

from shudu.policy.api import Upload
from shudu.policy.types import Invalid, Text, Unavailable


class Spool(FileUploadHandler):
    """Takes every file of one call, up to `max_upload_mb` for all of them."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.room = settings.OPTIONS.max_upload_mb << 20
        self.folder: Path | None = None
        self.holder = -1
        self.file: BinaryIO | None = None
        self.count = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self.folder is None:
            self.folder, self.holder = _hold(settings.HOME / "uploads")
        self.count += 1
        place = self.folder / str(self.count)
        place.mkdir(mode=0o700)
        self.path = place / _plain(self.file_name or "")
        self.file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
        self.digest = hashlib.sha256()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.room -= len(raw_data)
        if self.room < 0:
            raise _too_large()
        assert self.file is not None
        try:
            self.file.write(raw_data)
        except OSError as error:
            raise Unavailable(
                "upload.space",
                Text("服务器没有足够空间接收上传。", "The server has no room for this upload."),
                Text("请联系运营机构。", "Ask the operating company."),
            ) from error
        self.digest.update(raw_data)

    def file_complete(self, file_size: int) -> Upload:
        assert self.file is not None
        self.file.flush()
        upload = Upload(self.file, self.path.name, self.content_type, file_size)
        upload.path, upload.sha256 = self.path, self.digest.hexdigest()
        return upload

    def discard(self) -> None:
        """Remove what came in. Safe to call again."""
        if self.file is not None:
            self.file.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self.holder)
            self.folder = None


def discard(request: HttpRequest) -> None:
    """Remove what a call uploaded."""
    for handler in request.upload_handlers:
        if isinstance(handler, Spool):
            handler.discard()


def _hold(root: Path) -> tuple[Path, int]:
    """A fresh folder of our own in `root`, and the descriptor that holds it; folders without a holder are removed."""
    root.mkdir(mode=0o700, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in (path for path in root.iterdir() if path.is_dir()):
            with suppress(OSError):
                holder = _take(left)
                shutil.rmtree(left, ignore_errors=True)
                os.close(holder)
        folder = Path(tempfile.mkdtemp(dir=root))
        return folder, _take(folder)


def _take(folder: Path) -> int:
    """Hold a folder; raises BlockingIOError when somebody does."""
    holder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(holder)
        raise
    return holder


def _plain(name: str) -> str:
    """The caller's name for a file, as far as it can name one here: messages say it again."""
    kept = "".join(sign for sign in name if unicodedata.category(sign) not in ("Cc", "Cs") and sign not in "/\\")
    stem, dot, suffix = kept.rpartition(".")
    short = f"{stem[:50]}{dot}{suffix[:10]}" if dot else suffix[:50]
    return short if short.strip(". ") else "upload"


def _too_large() -> Invalid:
    most = settings.OPTIONS.max_upload_mb
    return Invalid(
        "upload.too_large",
        Text(f"上传超过 {most} MB。", f"The upload is larger than {most} MB."),
        Text(
            "请拆分文件，或请运营机构调高 max_upload_mb。", "Split it, or have the operating company raise the limit."
        ),
        {"max_upload_mb": most},
    )
