"""Many images: which they are, each segmented and recorded, all of them on a dask cluster."""
