"""What a receipt is to other rooms: `receipt.verify` and `receipt.encode` need neither Django nor a home."""

from . import receipt as receipt
