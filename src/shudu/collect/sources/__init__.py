"""Sources: databases of others, read by a narrow port in a process apart (docs/adding-a-connector.md)."""
