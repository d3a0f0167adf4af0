"""What can go wrong in the container, as errors whose text is for the person who has to act.

ContainerError            ends a job with its text as the reason
|-- DataError             raw data, a data set or its split cannot be used
|-- HyperparameterError   slipway.yaml asks for what the model does not have
|-- ModelError            a model artifact cannot be used, or model.py breaks the contract
`-- ConfigurationError    the environment of the container is wrong
RequestError              a request that is answered with a 4xx status
"""

from http import HTTPStatus


class ContainerError(Exception):
    """A job or the server cannot go on; the text says what, the value, what is allowed and the way out."""


class DataError(ContainerError):
    """Raw data, a data set or its split cannot be used."""


class HyperparameterError(ContainerError):
    """Hyperparameters that the model does not have, or of the wrong type."""


class ModelError(ContainerError):
    """A model artifact cannot be used, or model.py breaks the contract."""


class ConfigurationError(ContainerError):
    """An environment variable has a value that cannot be used."""


class RequestError(Exception):
    """A request that cannot be answered.

    Attributes:
        status: the HTTP status of the answer.
        details: what the answer names beside its message: record, field, value, allowed.
    """

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, **details: object) -> None:
        super().__init__(message)
        self.status = status
        self.details = details
