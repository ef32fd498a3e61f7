"""The API root under /api/v1: who calls, what every call must carry, how errors are said, and where each room is."""
