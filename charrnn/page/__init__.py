"""A trained model as one HTML file, which writes in the browser of whoever opens it."""
