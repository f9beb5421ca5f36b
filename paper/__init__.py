"""What reproduces the tables and figures of the paper; run from a checkout."""
