"""What to train for a text, a time and a machine: sizes by name, and the rule that picks one."""
