"""Every write of this room, by the module that does it."""

from .batches import accept_batch as accept_batch
from .feeds import add_source as add_source
from .feeds import bind as bind
from .feeds import close_feed as close_feed
from .feeds import close_source as close_source
from .feeds import open_feed as open_feed
from .feeds import refresh as refresh
from .feeds import survey as survey
from .inbox import close_inbox as close_inbox
from .inbox import open_inbox as open_inbox
from .inbox import take_in as take_in
from .packages import accept_package as accept_package
from .sender_keys import register_key as register_key
from .sender_keys import revoke_key as revoke_key
from .uploads import append_upload as append_upload
from .uploads import complete_upload as complete_upload
from .uploads import create_upload as create_upload
from .uploads import expire_uploads as expire_uploads
from .uploads import note_upload as note_upload
from .uploads import remove_upload as remove_upload
