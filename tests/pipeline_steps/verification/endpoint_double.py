"""An endpoint whose container is the real server's application, around a model that knows its samples."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from model_code import openapi
from model_code.records import declared_columns
from model_code.serve import Application
from model_code.task import Task
from pipeline_steps.aws import Aws, Invoker
from pipeline_steps.documents import ApiDescription, Prediction, Samples
from pipeline_steps.verification.description import Description
from tests.model_code.server_requests import post
from tests.pipeline_steps.doubles import Answer, answer_instead

COLUMNS = declared_columns({"temp": float, "dest": str, "wind": float | None, "stops": int})
SAMPLES = Samples(
    columns=("temp", "dest", "wind", "stops"),
    records=(
        {"temp": 39.02, "dest": "BOS", "wind": 10.5, "stops": 0},
        {"temp": 41.0, "dest": 'a "hostile", name', "wind": None, "stops": 1},
        {"temp": -3, "dest": "SFO", "wind": 0, "stops": 2},
    ),
    predictions=(0.25, 0.5, 0.125),
)
THREE = Task("multiclass", ("early", "on time", "late"))
BINARY = Task("binary", ("on time", "late"))

Raw = tuple[int, bytes]
Intercept = Callable[[str, bytes], Raw | None]


class KnownRecords:
    """Predicts what it was told for the samples, and what it was told last for all else."""

    def __init__(self, samples: Samples) -> None:
        rows = (tuple(record.values()) for record in samples.records)
        self._known = dict(zip(rows, samples.predictions, strict=True))
        self._other = samples.predictions[-1]

    def predict(self, records: Mapping[str, Sequence[Any]]) -> list[Prediction]:
        return [self._known.get(row, self._other) for row in zip(*records.values(), strict=True)]


class Container:
    """Takes requests as SageMaker sends them.

    Attributes:
        requests: content type and body of those that came.
        intercept: answers in the container's place, where it does not return None.
        variants: that were asked for.
        content_type: of all answers; None for the one that was asked for.
    """

    def __init__(self, samples: Samples = SAMPLES, task: Task = BINARY) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.intercept: Intercept = lambda _type, _body: None
        self.variants: set[str | None] = set()
        self.content_type: str | None = None
        self.serve(samples, task)

    def serve(self, samples: Samples, task: Task) -> None:
        """Serve another model."""
        self.application = Application(KnownRecords(samples), COLUMNS, task, ready=lambda: True)

    def __call__(self, content_type: str, body: bytes) -> Raw:
        self.requests.append((content_type, body))
        special = self.intercept(content_type, body)
        return post(self.application, body, content_type) if special is None else special

    def behind(self, invoker: Invoker) -> None:
        """Answer the invoker's calls."""

        def invoke(params: dict[str, Any]) -> Answer:
            headers = params["headers"]
            self.variants.add(headers.get("X-Amzn-SageMaker-Target-Variant"))
            status, body = self(headers["Content-Type"], params["body"])
            if status == 200:
                return 200, {"Body": io.BytesIO(body), "ContentType": self.content_type or headers["Accept"]}
            if status == 413 and not body:  # SageMaker's own
                return 413, {"Error": {"Code": "413", "Message": "HTTP content length exceeded 6291456 bytes."}}
            message = body.decode()
            error = {"Code": "ModelError", "Message": f"Received {status} from primary: {message}"}
            return 424, {"Error": error, "OriginalStatusCode": status, "OriginalMessage": message}

        answer_instead(invoker.client, "InvokeEndpoint", invoke)


def description_text(task: Task = BINARY) -> str:
    return openapi.file_content(COLUMNS, task).decode()


def description(task: Task = BINARY) -> Description:
    return Description(ApiDescription.parse(description_text(task), "openapi.json"))


def invoker(aws: Aws, container: Container) -> Invoker:
    made = aws.invoker(connections=4, answer_seconds=5, attempts=1)
    container.behind(made)
    return made


def instances(body: bytes) -> list[dict[str, Any]]:
    """The records of a good request in JSON; nothing of all others."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return []
    records = document.get("instances") if isinstance(document, dict) else None
    return records if isinstance(records, list) else []
