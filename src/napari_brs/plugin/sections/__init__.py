"""The sections of the dock: each shows a part of its state, and signals what the user does."""
