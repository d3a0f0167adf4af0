"""The CDK app: settings in, stacks out. It defines no resource."""

import json
import os
import sys
from pathlib import Path

from aws_cdk import App, Tags
from aws_cdk import aws_iam as iam

import settings as settings_file
from infra import names
from infra.endpoint_stage import EndpointStage
from infra.foundation_stack import FoundationStack
from infra.pipeline_stack import PipelineStack
from settings import IMMEDIATE, Settings, SettingsError

_HERE = Path(__file__).parent


def build(settings: Settings, *, overlay: str = "", outdir: str | None = None) -> App:
    """Make the app of a project.

    The stacks know neither account nor region, so that the same templates come out everywhere.

    Args:
        settings: of the project, with the overlay's values.
        overlay: name of the overlay, handed on to the pipeline's builds, which read the settings again.
        outdir: where the assembly goes.
    """
    # The cdk command passes on the feature flags of cdk.json; `python app.py` alone must come to the same templates.
    context = json.loads((_HERE / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = App(
        outdir=outdir,
        context=context,
        analytics_reporting=False,
        builtin_cloud_formation_validation=False,  # half the time of a synth; cfn-lint in `make check` sees more
    )
    foundation = FoundationStack(app, "Foundation", settings=settings)
    pipeline = PipelineStack(app, "Pipeline", settings=settings, overlay=overlay, foundation=foundation)
    # Nobody depends on staging, and its verification asks for errors, which set off the alarms.
    strategies = {names.STAGING: IMMEDIATE, names.PRODUCTION: settings.release.strategy}
    stages = [
        EndpointStage(
            app,
            environment.capitalize(),
            project=settings.name,
            environment=environment,
            endpoint=endpoint,
            release=settings.release,
            default_strategy=strategies[environment],
            network=settings.network,
        )
        for environment, endpoint in settings.endpoints.of_environments().items()
    ]
    for scope in (foundation, pipeline, *stages):  # a tag on the app would not reach into the stages
        for key, value in {**settings.tags, "slipway:project": settings.name}.items():
            Tags.of(scope).add(key, value)
    if settings.permissions_boundary:
        boundary = iam.ManagedPolicy.from_managed_policy_arn(foundation, "Boundary", settings.permissions_boundary)
        for scope in (foundation, pipeline, *stages):
            iam.PermissionsBoundary.of(scope).apply(boundary)
    return app


def main() -> int:
    """Synthesize the app into CDK_OUTDIR, with the overlay that SLIPWAY_OVERLAY names."""
    overlay = os.environ.get("SLIPWAY_OVERLAY", "")
    try:
        settings = settings_file.load(_HERE / "slipway.yaml", overlay)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    build(settings, overlay=overlay, outdir=os.environ.get("CDK_OUTDIR", "cdk.out")).synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
