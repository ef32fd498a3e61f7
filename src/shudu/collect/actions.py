"""Every write of this room, by the module that does it."""

from .batches import accept_batch as accept_batch
from .packages import accept_package as accept_package
from .sender_keys import register_key as register_key
from .sender_keys import revoke_key as revoke_key
from .uploads import append_upload as append_upload
from .uploads import complete_upload as complete_upload
from .uploads import create_upload as create_upload
from .uploads import expire_uploads as expire_uploads
from .uploads import remove_upload as remove_upload
