"""Networks that segment without clicks, made clickable without training (Section 3.3)."""
