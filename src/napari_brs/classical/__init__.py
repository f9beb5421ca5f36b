"""Classical rivals: segmentation from clicks and pixels alone, without training (Table 1)."""
