"""What the trainings of all families share: drawing batches, helper heads, scores."""
