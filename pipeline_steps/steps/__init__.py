"""The six steps of the pipeline."""
