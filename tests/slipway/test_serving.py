import io
import json
from typing import Any

import pytest

from slipway.errors import EndpointError
from slipway.serving import BODY_BYTES, ServedModel, Variant, invoke, json_body, predictions, read_samples, served_model
from tests.slipway.answers import AnsweringAws, Refusal
from tests.slipway.recorded import COMMIT, START

ENDPOINT = "flight-delays-production"
PACKAGE = "arn:aws:sagemaker:us-east-1:000000000000:model-package/flight-delays/3"
OTHER = "arn:aws:sagemaker:us-east-1:000000000000:model-package/flight-delays/4"
EVALUATION = "s3://data/evaluations/3f2a/challenger/evaluation.json"
SAMPLES = {"columns": ["carrier"], "records": [{"carrier": "AA"}, {"carrier": "UA"}], "predictions": [0.1, 0.2]}


def answers(**more: Any) -> dict[str, Any]:
    variant = {"VariantName": "AllTraffic", "ModelName": "model"}
    common = {"CreationTime": START, "LastModifiedTime": START}
    return {
        "DescribeEndpoint": {
            "EndpointName": ENDPOINT, "EndpointArn": f"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{ENDPOINT}",
            "EndpointConfigName": "config", "EndpointStatus": "InService", **common,
        },
        "DescribeEndpointConfig": {
            "EndpointConfigName": "config",
            "EndpointConfigArn": "arn:aws:sagemaker:us-east-1:000000000000:endpoint-config/config",
            "ProductionVariants": [variant], "CreationTime": START,
        },
        "DescribeModel": {
            "ModelName": "model", "Containers": [{"ModelPackageName": PACKAGE}], "CreationTime": START,
            "ModelArn": "arn:aws:sagemaker:us-east-1:000000000000:model/model",
        },
        "DescribeModelPackage": {
            "ModelPackageName": "flight-delays", "ModelPackageArn": PACKAGE, "ModelPackageVersion": 3,
            "CreationTime": START, "ModelPackageStatus": "Completed", "ModelPackageStatusDetails": {
                "ValidationStatuses": []
            },
            "MetadataProperties": {"CommitId": COMMIT},
            "CustomerMetadataProperties": {"evaluation_uri": EVALUATION},
        },
        "GetObject": lambda _: body({"metrics": {"roc_auc": 0.64, "log_loss": None}, "rows": 10}),
        **more,
    }  # fmt: skip


def body(document: Any) -> dict[str, Any]:
    return {"Body": io.BytesIO(json.dumps(document).encode())}


def test_an_endpoint_is_told_with_its_model_package_and_its_metrics() -> None:
    aws = AnsweringAws(answers())

    model = served_model(aws.target(), ENDPOINT)

    assert model is not None
    assert (model.status, model.version, model.commit, model.package_arn) == ("InService", 3, COMMIT, PACKAGE)
    assert model.metrics == {"roc_auc": 0.64, "log_loss": None}
    asked = aws.called("GetObject")[0]
    assert (asked["Bucket"], asked["Key"]) == ("data", "evaluations/3f2a/challenger/evaluation.json")


def test_an_endpoint_that_does_not_exist_is_none() -> None:
    refusal = Refusal("ValidationException", 'Could not find endpoint "x"')

    assert served_model(AnsweringAws({"DescribeEndpoint": refusal}).target(), ENDPOINT) is None


def test_metrics_that_cannot_be_read_are_left_out() -> None:
    model = served_model(AnsweringAws(answers(GetObject=Refusal("NoSuchKey"))).target(), ENDPOINT)

    assert model is not None
    assert model.metrics == {}


def test_an_endpoint_whose_model_came_from_no_package_has_no_version() -> None:
    model = {
        "ModelName": "model", "PrimaryContainer": {"Image": "image"}, "CreationTime": START,
        "ModelArn": "arn:aws:sagemaker:us-east-1:000000000000:model/model",
    }  # fmt: skip
    served = served_model(AnsweringAws(answers(DescribeModel=model)).target(), ENDPOINT)

    assert served is not None
    assert (served.version, served.package_arn) == (None, None)


def test_the_samples_lie_beside_the_evaluation() -> None:
    aws = AnsweringAws(answers(GetObject=lambda request: body(SAMPLES if "samples" in request["Key"] else {})))
    model = served_model(aws.target(), ENDPOINT)
    assert model is not None

    samples = read_samples(aws.target(), model)

    assert samples.records == ({"carrier": "AA"}, {"carrier": "UA"})
    assert samples.predictions == (0.1, 0.2)


def test_without_samples_it_says_how_to_send_records() -> None:
    aws = AnsweringAws({"GetObject": Refusal("NoSuchKey")})
    model = ServedModel(ENDPOINT, "InService", None, samples_uri="s3://data/samples.json")

    with pytest.raises(EndpointError, match="no sample records") as raised:
        read_samples(aws.target(), model)

    assert "slipway invoke --file" in str(raised.value.next_step)


def test_an_endpoint_is_called_as_clients_call_it() -> None:
    aws = AnsweringAws({"InvokeEndpoint": {"Body": io.BytesIO(b'{"predictions": [0.25]}')}})

    answer = invoke(aws.target(), ENDPOINT, json_body([{"carrier": "AA"}]), "application/json")

    assert predictions(answer, "application/json") == [0.25]
    request = aws.called("InvokeEndpoint")[0]
    assert json.loads(request["Body"]) == {"instances": [{"carrier": "AA"}]}
    assert (request["ContentType"], request["Accept"]) == ("application/json", "application/json")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        pytest.param('{"error": "carrier is XX, allowed: AA, UA"}', "carrier is XX, allowed: AA, UA", id="text"),
        pytest.param('{"error": {"field": "carrier", "value": "XX"}}', "  field: carrier\n  value: XX", id="fields"),
        pytest.param("out of memory", "out of memory", id="no JSON"),
    ],
)
def test_the_containers_refusal_is_readable(message: str, told: str) -> None:
    refusal = Refusal("ModelError", "Received client error (400)", {"OriginalMessage": message})

    with pytest.raises(EndpointError) as raised:
        invoke(AnsweringAws({"InvokeEndpoint": refusal}).target(), ENDPOINT, b"{}", "application/json")

    assert raised.value.message.endswith(told)


def test_an_endpoint_that_is_not_there_says_to_look_at_the_status() -> None:
    refusal = Refusal("ValidationError", "Endpoint not found")

    with pytest.raises(EndpointError, match="cannot be called: Endpoint not found") as raised:
        invoke(AnsweringAws({"InvokeEndpoint": refusal}).target(), ENDPOINT, b"{}", "application/json")

    assert raised.value.next_step == "slipway status"


def test_a_body_that_sagemaker_would_refuse_is_not_sent() -> None:
    aws = AnsweringAws({})

    with pytest.raises(EndpointError, match="6291457 bytes"):
        invoke(aws.target(), ENDPOINT, b"x" * (BODY_BYTES + 1), "text/csv")


@pytest.mark.parametrize(
    ("answer", "content_type", "values"),
    [
        (b"0.1\n0.2\n", "text/csv", [0.1, 0.2]),
        (b'{"predictions": [0.1, 0.2]}', "application/json", [0.1, 0.2]),
        (b"0.1,0.9\n1.0,0.0\n", "text/csv", [(0.1, 0.9), (1.0, 0.0)]),
        (b'{"predictions": [[0.1, 0.9], [1, 0]]}', "application/json", [(0.1, 0.9), (1.0, 0.0)]),
    ],
)
def test_predictions_are_read_in_both_formats(
    answer: bytes, content_type: str, values: list[float | tuple[float, ...]]
) -> None:
    assert predictions(answer, content_type) == values


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>", b"[1]", b'{"predictions": null}', b'{"predictions": ["late"]}', b'{"predictions": [[]]}',
        b'{"predictions": [["late"]]}', b'{"predictions": [[[0.1, 0.9]]]}',
    ],
)  # fmt: skip
def test_an_answer_that_is_no_list_of_predictions_is_refused(answer: bytes) -> None:
    with pytest.raises(EndpointError, match="not a list of predictions"):
        predictions(answer, "application/json")


def test_while_a_test_runs_both_variants_are_told_with_their_shares() -> None:
    aws = answers()
    endpoint = {**aws["DescribeEndpoint"], "ProductionVariants": [
        {"VariantName": "Challenger", "CurrentWeight": 1.0, "CurrentInstanceCount": 1},
        {"VariantName": "AllTraffic", "CurrentWeight": 3.0, "CurrentInstanceCount": 2},
    ]}  # fmt: skip
    variants = [{"VariantName": name, "ModelName": name} for name in ("Challenger", "AllTraffic")]
    config = {**aws["DescribeEndpointConfig"], "ProductionVariants": variants}

    model = served_model(
        AnsweringAws(
            answers(DescribeEndpoint=endpoint, DescribeEndpointConfig=config, DescribeModel=of_variant)
        ).target(),
        ENDPOINT,
    )

    assert model is not None
    assert model.package_arn == PACKAGE
    assert model.variants == (
        Variant("AllTraffic", "champion", PACKAGE, 0.75, 2),
        Variant("Challenger", "challenger", OTHER, 0.25, 1),
    )
    assert model.challenger == model.variants[1]
    assert model.variants[1].version == 4


def test_a_shadow_has_the_share_of_the_calls_that_are_copied_to_it() -> None:
    aws = answers()
    endpoint = {
        **aws["DescribeEndpoint"], "ProductionVariants": [{"VariantName": "AllTraffic", "CurrentWeight": 2.0}],
        "ShadowProductionVariants": [{"VariantName": "Challenger", "CurrentWeight": 0.5}],
    }  # fmt: skip
    config = {
        **aws["DescribeEndpointConfig"],
        "ShadowProductionVariants": [{"VariantName": "Challenger", "ModelName": "Challenger"}],
    }

    model = served_model(
        AnsweringAws(
            answers(DescribeEndpoint=endpoint, DescribeEndpointConfig=config, DescribeModel=of_variant)
        ).target(),
        ENDPOINT,
    )

    assert model is not None
    assert model.challenger == Variant("Challenger", "shadow", OTHER, 0.25, None)
    assert model.variants[0].share == 1.0


def test_one_variant_alone_is_no_test() -> None:
    model = served_model(AnsweringAws(answers()).target(), ENDPOINT)

    assert model is not None
    assert (model.variants, model.challenger) == ((), None)


def of_variant(request: dict[str, Any]) -> dict[str, Any]:
    """DescribeModel, of models that are called as their variant."""
    package = OTHER if request["ModelName"] == "Challenger" else PACKAGE
    return {**answers()["DescribeModel"], "Containers": [{"ModelPackageName": package}]}
