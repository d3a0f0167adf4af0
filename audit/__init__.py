"""The audit that a platform team signs off on: what every role may do, what it did, and what the checkers say."""
