"""The endpoint under verification."""

from dataclasses import dataclass

from pipeline_steps.aws import EndpointAnswer, Invoker
from pipeline_steps.verification.limits import INSTANCES, Limits
from pipeline_steps.verification.requests import Request


@dataclass(frozen=True)
class Endpoint:
    """An endpoint, or one variant of it.

    Attributes:
        invoker: how it is called.
        variant: None where it is all the same which one answers.
        limits: what SageMaker allows of it.
    """

    invoker: Invoker
    name: str
    variant: str | None = None
    limits: Limits = INSTANCES

    def send(self, request: Request) -> EndpointAnswer:
        """The answer, whatever its status is.

        Raises:
            NoAnswerError: there was none in time.
            AwsError: SageMaker did not serve the call.
        """
        doing = f"get an answer of {self.name} to {request.what}"
        return self.invoker.invoke(self.name, request.content_type, request.body, doing, variant=self.variant)


def shown(answer: EndpointAnswer) -> str:
    """An answer in the text of a failure."""
    text = repr(answer.body[:200].decode("utf-8", errors="replace"))
    return f"status {answer.status} and {text}" if answer.status else f"no answer of the container, but {text}"
