"""lake — the files under every stored version: written once, whole or not at all, and read back as they were.

Nouns: place, stored file, column, table store, observer, data key.
A table comes in as CSV and lies as Parquet; a model or a product lies as the bytes it came as. Nothing here says that
something is published: the Version row in `catalog` does, and files no version knows are swept.
Level 3 and above is encrypted with a key of its own, wrapped by a key that lies outside the home.
Upper rooms register observers, which see each new table while it is written.
May import: policy, config (through Django's settings).
"""
