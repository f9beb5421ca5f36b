"""What is known of an object that is followed through the planes along an axis."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Track:
    """One object: its keyframes, and frame -> confidence of what was found."""

    keyframes: set[int] = field(default_factory=set)
    confidence: dict[int, float] = field(default_factory=dict)

    def set_keyframe(self, frame: int) -> None:
        """Know that a person vouches for it in a frame."""
        self.keyframes.add(frame)
        self.confidence.pop(frame, None)
