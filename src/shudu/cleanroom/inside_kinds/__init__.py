"""One evaluator for each kind of model: `load(model, inputs, output)` gives a function from a batch to its scores.

Each file runs alone inside the sandbox, beside `inside.py`, and imports nothing of ours. It imports all it needs at its
top: once a model is there, nothing executable can be loaded any more.
"""
