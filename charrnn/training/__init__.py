"""Training: `train.py` from top to bottom, and what it needs on the way."""
