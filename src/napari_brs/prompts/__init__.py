"""Boxes and strokes in place of clicks."""
