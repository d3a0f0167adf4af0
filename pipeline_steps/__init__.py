"""What the pipeline does: one step a module, run by CodeBuild as `python -m pipeline_steps STEP --exports FILE`."""
