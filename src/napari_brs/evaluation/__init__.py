"""Robot runs over dataset packs, and what they show."""
