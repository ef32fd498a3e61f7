"""Every write of this room, by the module that does it."""

from .uploads import append_upload as append_upload
from .uploads import complete_upload as complete_upload
from .uploads import create_upload as create_upload
from .uploads import expire_uploads as expire_uploads
from .uploads import remove_upload as remove_upload
