"""config — how the house is put up: options, settings, the URL root, WSGI and the supervisor.

May import: nothing of ours but by name (Django loads the rooms from `INSTALLED_APPS`).
"""
