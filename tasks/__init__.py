"""The pipeline: one module a stage, in the order of the tutorial's steps; those with an underscore serve them."""
