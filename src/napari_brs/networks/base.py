"""What every clickable network offers."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class InteractiveNetwork(nn.Module):
    """A segmentation network that takes an image and two interaction maps.

    ``encode`` sees the image alone, so its result is cached; ``decode`` is the
    function of the maps that refinement differentiates.
    """

    uses_previous: bool = False
    """Whether ``decode`` looks at the previous mask."""

    def encode(self, image: Tensor) -> NamedTuple:
        """Image features.

        Parameters
        ----------
        image : (B, 3, H, W) float32
            RGB in [0, 255], of any size; the network normalises and pads it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no encode()")

    def decode_both(
        self, features: NamedTuple, maps: Tensor, previous: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Coarse and fine logits, each (B, 1, H, W).

        Parameters
        ----------
        features : what ``encode`` returned
        maps : (B, 2, H, W) float32
            Foreground and background interaction map.
        previous : (B, 1, H, W) float32, optional
            Probability of the previous mask; None stands for zeros.
        """
        raise NotImplementedError(f"{type(self).__name__} has no decode_both()")

    def decode(self, features: NamedTuple, maps: Tensor, previous: Tensor | None = None) -> Tensor:
        """Fine logits (B, 1, H, W); see `decode_both`."""
        return self.decode_both(features, maps, previous)[1]
