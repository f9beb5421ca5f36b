"""The layers of napari that show a session, and the plane of them on display."""
