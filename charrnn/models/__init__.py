"""A trained model in hand: text, probabilities, hidden states, what its units follow."""
