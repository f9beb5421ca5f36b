"""Objects followed through time or depth: their masks of one frame give those of the next."""
