"""What the units of a network follow in a text. NumPy only."""
