"""A run on disk: its folder, checkpoints, history and samples. No TensorFlow."""
