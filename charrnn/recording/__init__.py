"""A network's step as data: a short list of array operations that any program can run.

`charrnn.recording.recorder` makes the list from the cells' and the stack's own lines,
`charrnn.recording.interpreter` runs it in NumPy.
"""
