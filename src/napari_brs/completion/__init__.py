"""From a few finished objects of a frame to the others."""
