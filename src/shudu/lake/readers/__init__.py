"""readers — one for each format, each run in a limited process of its own, because files are hostile.

A reader first says what it understood of a file, then streams its rows: text where the values shall decide the type,
typed columns where the format has types. May import: of the lake only modules without state; policy's types.
"""
