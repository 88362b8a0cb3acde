"""The network in TensorFlow and Keras: scan → layers → network."""
