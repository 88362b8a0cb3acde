"""The network, free of any framework: its weights by name, and the stack of its layers."""
