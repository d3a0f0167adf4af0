"""Validates the structure of a pipeline as CodePipeline does before it takes one.

The rules are those of the user guide's "Pipeline structure requirements"; each fault has CodePipeline's own code. What
the local cloud cannot do (stage conditions, other providers, other regions) is refused here, never ignored.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from local_cloud.codepipeline.actions import action_type_of, served_action_types
from local_cloud.codepipeline.actions.action import ActionType
from local_cloud.codepipeline.records import Declaration
from local_cloud.codepipeline.variables import RESERVED_NAMESPACES, references
from local_cloud.wire import ServiceError

_MOST_STAGES = 50
_MOST_ACTIONS = 500


@dataclass(frozen=True)
class Fault:
    """Something wrong with a pipeline."""

    code: str
    message: str


@dataclass(frozen=True)
class _Place:
    """An action of a pipeline, and when it runs."""

    stage: str
    order: tuple[int, int]
    """Place of its stage, and its runOrder."""
    action: Declaration

    def __str__(self) -> str:
        return f"StageName=[{self.stage}], ActionName=[{self.action['name']}]"


def validate(declaration: Declaration, region: str) -> None:
    """Check a PipelineDeclaration.

    Raises:
        ServiceError: it is not valid; all faults are in the message, the code is that of the first.
    """
    faults = list(find_faults(declaration, region))
    if faults:
        raise ServiceError(faults[0].code, "; ".join(fault.message for fault in faults))


def find_faults(declaration: Declaration, region: str) -> Iterator[Fault]:
    """Everything that is wrong with a PipelineDeclaration."""
    places = [
        _Place(stage["name"], (number, int(action.get("runOrder", 1))), action)
        for number, stage in enumerate(declaration["stages"])
        for action in stage["actions"]
    ]
    yield from _faults_of_pipeline(declaration, region)
    yield from _faults_of_stages(declaration)
    yield from _faults_of_sources(declaration)
    for place in places:
        yield from _faults_of_action(place, region)
    yield from _faults_of_artifacts(places)
    yield from _faults_of_namespaces(places)
    yield from _faults_of_variables(places, declaration)


def _structure(message: str) -> Fault:
    return Fault("InvalidStructureException", message)


def _stage(message: str) -> Fault:
    return Fault("InvalidStageDeclarationException", message)


def _action(message: str) -> Fault:
    return Fault("InvalidActionDeclarationException", message)


def _faults_of_pipeline(declaration: Declaration, region: str) -> Iterator[Fault]:
    number = len(declaration["stages"])
    if number < 2:
        yield _structure(f"Pipeline has only {number} stage(s). There should be a minimum of 2 stages in a pipeline")
    if number > _MOST_STAGES or sum(len(stage["actions"]) for stage in declaration["stages"]) > _MOST_ACTIONS:
        message = f"A pipeline has at most {_MOST_STAGES} stages and {_MOST_ACTIONS} actions"
        yield Fault("LimitExceededException", message)
    if ("artifactStore" in declaration) == ("artifactStores" in declaration):
        yield _structure("Pipeline must have either artifactStore or artifactStores, and not both")
    elif "artifactStores" in declaration and region not in declaration["artifactStores"]:
        yield _structure(f"artifactStores has no artifact store for the pipeline's region {region}")
    if declaration.get("pipelineType", "V1") == "V1":
        if declaration.get("executionMode", "SUPERSEDED") != "SUPERSEDED":
            yield _structure(f"Execution mode {declaration['executionMode']} needs pipelineType V2")
        if declaration.get("variables"):
            yield _structure("Pipeline variables need pipelineType V2")
    if declaration.get("triggers"):
        yield _structure("Triggers are not served by the local cloud: start the pipeline with an EventBridge rule")


def _faults_of_stages(declaration: Declaration) -> Iterator[Fault]:
    for name in _repeated(stage["name"] for stage in declaration["stages"]):
        yield _stage(f"Stage name must be unique within a pipeline. '{name}' has been used more than once")
    for stage in declaration["stages"]:
        if not stage["actions"]:
            yield _stage(f"Stage '{stage['name']}' must have at least one action")
        for name in _repeated(action["name"] for action in stage["actions"]):
            message = f"Action name must be unique within a stage. '{name}' occurs more than once in '{stage['name']}'"
            yield _stage(message)
        unserved = sorted({"blockers", "beforeEntry", "onSuccess", "onFailure"} & {k for k, v in stage.items() if v})
        if unserved:
            yield _stage(f"Stage '{stage['name']}': {', '.join(unserved)} cannot be served by the local cloud")


def _faults_of_sources(declaration: Declaration) -> Iterator[Fault]:
    for number, stage in enumerate(declaration["stages"]):
        sources = [action["actionTypeId"]["category"] == "Source" for action in stage["actions"]]
        if number == 0 and not all(sources):
            yield _structure("Pipeline should start with a stage that only contains source actions")
        if number > 0 and any(sources):
            yield _structure(f"Source actions may only occur in the first stage, and '{stage['name']}' has one")


def _faults_of_action(place: _Place, region: str) -> Iterator[Fault]:
    action = place.action
    name, wanted = action["name"], action["actionTypeId"]
    action_type = action_type_of(action)
    if action_type is None:
        yield _action(
            f"ActionType (Category: '{wanted['category']}', Provider: '{wanted['provider']}', "
            f"Owner: '{wanted['owner']}', Version: '{wanted['version']}') in action '{name}' is not available in the "
            "local cloud, which serves: "
            f"{served_action_types()} (Owner: 'AWS', Version: '1')"
        )
        return
    yield from _faults_of_configuration(place, action_type)
    yield from _faults_of_artifact_counts(action, action_type)
    if action.get("region", region) != region:
        yield _action(f"Action {name} is in region {action['region']}; the local cloud has {region} only")
    for member in ("commands", "environmentVariables", "outputVariables"):
        if action.get(member):
            yield _action(f"Action {name} of provider {wanted['provider']} takes no {member}")


def _faults_of_configuration(place: _Place, action_type: ActionType) -> Iterator[Fault]:
    configuration = place.action.get("configuration", {})
    start = f"Action configuration for action '{place.action['name']}'"
    missing = sorted(action_type.required - configuration.keys())
    for key in missing:
        yield _action(f"{start} is missing required configuration '{key}'")
    for key in sorted(configuration.keys() - action_type.required - action_type.optional):
        yield _action(f"{start} contains unknown configuration '{key}'")
    if not missing:
        for fault in action_type.faults(configuration):
            yield _action(f"{start}: {fault}")
    if action_type.provider == "CodeBuild":
        yield from _faults_of_primary_source(place.action, configuration)


def _faults_of_primary_source(action: Declaration, configuration: Declaration) -> Iterator[Fault]:
    inputs = [artifact["name"] for artifact in action.get("inputArtifacts", [])]
    primary = configuration.get("PrimarySource")
    if primary is None and len(inputs) > 1:
        start = f"Action configuration for action '{action['name']}'"
        yield _action(f"{start} is missing required configuration 'PrimarySource'")
    if primary is not None and primary not in inputs:
        yield _action(f"PrimarySource '{primary}' of action '{action['name']}' is not one of its input artifacts")


def _faults_of_artifact_counts(action: Declaration, action_type: ActionType) -> Iterator[Fault]:
    for kind, member, allowed in (
        ("input", "inputArtifacts", action_type.inputs),
        ("output", "outputArtifacts", action_type.outputs),
    ):
        count = len(action.get(member, []))
        start = f"Action {action['name']} declares {count} {kind} artifacts which"
        if count < allowed.start:
            yield _action(f"{start} is less than the minimum count ({allowed.start})")
        if count >= allowed.stop:
            yield _action(f"{start} exceeds the maximum count ({allowed.stop - 1})")


def _faults_of_artifacts(places: list[_Place]) -> Iterator[Fault]:
    made = [(artifact["name"], place.order) for place in places for artifact in place.action.get("outputArtifacts", [])]
    for name in _repeated(name for name, _ in made):
        yield _structure(
            f"Output Artifact Bundle name must be unique within the pipeline. {name} has been used more than once."
        )
    for place in places:
        for artifact in place.action.get("inputArtifacts", []):
            if not any(name == artifact["name"] and order < place.order for name, order in made):
                yield _structure(
                    f"Input Artifact Bundle {artifact['name']} in action {place.action['name']} is not declared as "
                    "Output Artifact Bundle in any of the preceding actions"
                )


def _faults_of_namespaces(places: list[_Place]) -> Iterator[Fault]:
    with_namespace = [place for place in places if "namespace" in place.action]
    repeated = set(_repeated(place.action["namespace"] for place in with_namespace))
    for place in with_namespace:
        namespace = place.action["namespace"]
        if namespace in repeated:
            yield _action(
                "Namespaces must be unique across the pipeline definition. The following occur more than once in the "
                f"pipeline. {place}, Namespace=[{namespace}]"
            )
        if namespace in RESERVED_NAMESPACES:
            yield _action(f"The namespace {namespace} is reserved. {place}, Namespace=[{namespace}]")


def _faults_of_variables(places: list[_Place], declaration: Declaration) -> Iterator[Fault]:
    declared = {variable["name"] for variable in declaration.get("variables", [])}
    for place in places:
        known = {p.action["namespace"] for p in places if "namespace" in p.action and p.order < place.order}
        for key, text in place.action.get("configuration", {}).items():
            for namespace, name in references(text):
                position = f"{place}, ActionConfigurationKey=[{key}], VariableReferenceText=[#{{{namespace}.{name}}}]"
                if namespace == "variables" and name not in declared:
                    yield _action(f"The pipeline declares no variable '{name}'. {position}")
                if namespace not in known and namespace not in RESERVED_NAMESPACES:
                    yield _action(
                        "Valid format for a pipeline execution variable reference is a namespace and a key separated "
                        "by a period (.). The following pipeline execution variables are referencing a namespace that "
                        f"does not exist. {position}"
                    )


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
