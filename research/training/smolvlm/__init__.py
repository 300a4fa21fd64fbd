"""SmolVLM-tiny: its vocabulary, shape, picture tiles, training, export and evaluation."""
