"""Reading and writing what is on disk: packs, images, labels and session files."""
