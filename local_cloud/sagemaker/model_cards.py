"""The model card of a model package: what its content may be, and when it can still be changed.

Source: SageMaker developer guide, "View and Update the Details of a Model Version", section "Model package model card
schema"; the API reference of ModelPackageModelCard for the status Archived. Where the guide's schema has a limit beside
a reference or by a word that its draft does not know, the limit is taken as meant.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from local_cloud.sagemaker.errors import invalid

Schema = Mapping[str, Any]

_MOST_FAULTS = 10


def _text(longest: int, shortest: int = 0) -> Schema:
    return {"type": "string", "minLength": shortest, "maxLength": longest}


def _choice(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _list(items: Schema, most: int | None = None, least: int = 0) -> Schema:
    return {"type": "array", "items": items, "minItems": least, **({"maxItems": most} if most is not None else {})}


def _object(*required: str, **properties: Schema) -> Schema:
    return {
        "type": "object", "additionalProperties": False, "required": list(required), "properties": properties,
    }  # fmt: skip


def _texts_by_name() -> Schema:
    return {"type": "object", "additionalProperties": _text(1024)}


def _metric(kind: Schema, value: Schema, x_axis: Schema, y_axis: Schema) -> Schema:
    return _object(
        "name", "type", "value",
        name=_text(255, 1), notes=_text(1024), type=kind, value=value, x_axis_name=x_axis, y_axis_name=y_axis,
    )  # fmt: skip


_NUMBER: Schema = {"type": "number"}
_AXIS, _AXES = _text(63), _list(_text(63))
_METRICS: Schema = {
    "anyOf": [
        _metric(
            _choice("number", "string", "boolean"), {"anyOf": [_NUMBER, _text(63), {"type": "boolean"}]}, _AXIS, _AXIS
        ),
        _metric(_choice("linear_graph"), _list(_list(_NUMBER, 2, 2), least=1), _AXIS, _AXIS),
        _metric(_choice("bar_chart"), _list(_NUMBER, least=1), _AXES, _AXIS),
        _metric(_choice("matrix"), _list(_list(_NUMBER, 20, 1), 20, 1), _AXES, _AXES),
    ]
}
_TRAINING_METRICS = _list(_object("name", "value", name=_text(255, 1), notes=_text(1024), value=_NUMBER), 50)
_HYPERPARAMETERS = _list(_object("name", "value", name=_text(255, 1), value=_text(255, 1)), 100)
_METRIC_GROUP: Schema = {
    "type": "object", "required": ["name", "metric_data"],
    "properties": {"name": _text(63, 1), "metric_data": _list(_METRICS)},
}  # fmt: skip

SCHEMA: Schema = _object(
    model_overview=_object(model_creator=_text(1024), model_artifact=_list(_text(1024), 15)),
    intended_uses=_object(
        purpose_of_model=_text(2048),
        intended_uses=_text(2048),
        factors_affecting_model_efficiency=_text(2048),
        risk_rating=_choice("High", "Medium", "Low", "Unknown"),
        explanations_for_risk_rating=_text(2048),
    ),
    business_details=_object(
        business_problem=_text(2048), business_stakeholders=_text(2048), line_of_business=_text(2048)
    ),
    training_details=_object(
        objective_function={"type": "object"},
        training_observations=_text(1024),
        training_job_details=_object(
            training_arn=_text(1024),
            training_datasets=_list(_text(1024), 15),
            training_environment=_object(container_image=_list(_text(1024), 15)),
            training_metrics=_TRAINING_METRICS,
            user_provided_training_metrics=_TRAINING_METRICS,
            hyper_parameters=_HYPERPARAMETERS,
            user_provided_hyper_parameters=_HYPERPARAMETERS,
        ),
    ),
    evaluation_details=_list(
        _object(
            "name",
            name=_text(63, 1),
            evaluation_observation=_text(2096),
            evaluation_job_arn=_text(256),
            datasets=_list(_text(1024), 10),
            metadata=_texts_by_name(),
            metric_groups=_list(_METRIC_GROUP),
        )
    ),
    additional_information=_object(
        ethical_considerations=_text(2048), caveats_and_recommendations=_text(2048), custom_details=_texts_by_name()
    ),
)
"""As JSON schema, of the words that `faults` knows."""


def check(card: Mapping[str, Any] | None) -> None:
    """Refuse a card whose content does not follow the schema (an assumption: the guide says that it must)."""
    if card is None or "ModelCardContent" not in card:
        return
    try:
        content = json.loads(card["ModelCardContent"], parse_constant=_refuse)
    except ValueError as error:
        raise invalid(f"Model card content is not a valid JSON: {error}") from error
    found = list(faults(content, SCHEMA))
    if found:
        raise invalid(f"Model card content does not follow the schema: {'; '.join(found[:_MOST_FAULTS])}")


def updated(old: Mapping[str, Any], card: Mapping[str, Any]) -> dict[str, Any]:
    """A package's card after an update of its content, its status or both.

    Raises:
        ServiceError: the content of an archived card is to be changed.
    """
    if old.get("ModelCardStatus") == "Archived" and "ModelCardContent" in card:
        raise invalid("Model Card is in Archived state")
    return {**old, **card}


def faults(value: Any, schema: Schema, place: str = "#") -> Iterator[str]:
    """What of a JSON value does not follow a schema, each fault with its place."""
    if "anyOf" in schema:
        if all(any(faults(value, one, place)) for one in schema["anyOf"]):
            yield f"{place}: fits none of the forms that it may have"
        return
    if not _is_of(value, schema["type"]):
        yield f"{place}: must be of type {schema['type']}"
        return
    match value:
        case str():
            yield from _text_faults(value, schema, place)
        case list():
            yield from _list_faults(value, schema, place)
        case dict():
            yield from _object_faults(value, schema, place)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _is_of(value: Any, kind: str) -> bool:
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "boolean": bool, "array": list, "object": dict}[kind])


def _text_faults(value: str, schema: Schema, place: str) -> Iterator[str]:
    if value not in schema.get("enum", [value]):
        yield f"{place}: must be one of {', '.join(schema['enum'])}"
    elif not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{place}: must have {schema['minLength']} to {schema['maxLength']} characters, has {len(value)}"


def _list_faults(value: list[Any], schema: Schema, place: str) -> Iterator[str]:
    if not schema["minItems"] <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{place}: must have {schema['minItems']} to {schema.get('maxItems', 'any number of')} items"
    for number, item in enumerate(value):
        yield from faults(item, schema["items"], f"{place}/{number}")


def _object_faults(value: dict[str, Any], schema: Schema, place: str) -> Iterator[str]:
    yield from (f"{place}: required key [{key}] not found" for key in schema.get("required", []) if key not in value)
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key, item in value.items():
        if key in properties:
            yield from faults(item, properties[key], f"{place}/{key}")
        elif others is False:
            yield f"{place}: extraneous key [{key}] is not permitted"
        elif others is not True:
            yield from faults(item, others, f"{place}/{key}")
