"""From files to batches: sources → characters → ids on disk → parallel streams. NumPy only."""
