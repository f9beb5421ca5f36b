"""Writing finished objects in the formats that other programs read: one file a format."""
