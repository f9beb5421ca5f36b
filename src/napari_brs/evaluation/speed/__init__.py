"""How long a click takes on this machine."""
