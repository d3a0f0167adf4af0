"""What runs inside the container: model.py is the team's, the rest is SageMaker's contract."""
