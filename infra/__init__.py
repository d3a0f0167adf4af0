"""What must exist in AWS: stacks, and one construct a file."""
