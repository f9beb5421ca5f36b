"""Training on dataset packs: configuration, data, click sampling, losses and the loop."""
