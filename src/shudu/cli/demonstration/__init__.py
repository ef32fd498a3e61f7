"""The demonstration: the main job on real rows, told as what it is ("real rows, synthetic key")."""
