"""What the paper reports for the GrabCut images (Jang & Kim, CVPR 2019)."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One row of a table of the paper; None where it has no value."""

    name: str
    noc85: float | None
    noc90: float | None
    auc: float | None = None


TABLE_1 = (
    Published("BRS-DenseNet", 2.60, 3.60, 0.919),
    Published("BRS-VGG", 2.90, 3.84, 0.914),
    Published("latent diversity (LD)", 3.20, 4.79, 0.911),
    Published("regional segmentation (RIS)", None, 5.00, 0.910),
    Published("deep object selection (DOS)", 5.08, 6.08, 0.895),
    Published("graph cut", 7.98, 10.00, 0.764),
    Published("geodesic star", 7.10, 9.12, 0.820),
    Published("Euclidean star", 7.24, 9.20, 0.833),
    Published("random walk", 11.36, 13.77, 0.748),
    Published("geodesic matting", 13.32, 14.57, 0.722),
    Published("GrowCut", None, 16.74, 0.699),
)
"""Table 1, with the areas of Figure 7 (a)."""

TABLE_2 = {
    (False, True): Published("everything", 2.60, 3.60),
    (False, False): Published("without refinement", 4.12, 6.12),
    (True, True): Published("without fine decoder", 6.60, 10.28),
    (True, False): Published("without fine decoder and refinement", 14.34, 17.40),
}
"""Table 2: (without fine decoder, refined) -> what is left of BRS-DenseNet."""
