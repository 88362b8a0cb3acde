"""The network in TensorFlow and Keras: scan → network."""
