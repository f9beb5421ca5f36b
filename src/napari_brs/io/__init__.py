"""Reading what is on disk: dataset packs, images, labels and session files."""
