"""Real weights for the text half of SmolVLM: SmolLM2-135M-Instruct, from which SmolVLM-256M's decoder grew."""
