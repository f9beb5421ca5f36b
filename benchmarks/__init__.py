"""What the project measures itself against."""
