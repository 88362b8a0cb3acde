"""Sweeps: many ways to train on one text, tried by any number of processes, and compared."""
