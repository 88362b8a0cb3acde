"""Training: plan → schedule → compiled step → session → a loop that yields events."""
