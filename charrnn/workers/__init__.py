"""Several processes, on one machine or on several, that train one model together.

Worker 0 leads: it says what is done next, and alone writes the run. The others follow. All of them
sum their gradients in a ring. Nothing here knows TensorFlow.
"""
