"""Florence-2-tiny: its vocabulary, shape, training, export and evaluation."""
