"""Models that other tools have trained, read from their files and written as runs.

Files come from strangers: nothing in them is run, sizes are held against the file's length before
anything is allocated, and what is not understood is refused.
"""
