"""Names and Amazon Resource Names of SageMaker resources."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Arns:
    """Makes the ARNs of one account and region."""

    region: str
    account_id: str

    def of(self, kind: str, name: str) -> str:
        """The ARN of a resource; SageMaker writes names in lower case there, whatever case they were given in."""
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{kind}/{name.lower()}"


def key_of(name_or_arn: str) -> str:
    """The key of a resource in its table, from its name or its ARN.

    Names that differ in case alone would share an ARN, so they are one key. `group/3` is a model package's version.
    """
    if name_or_arn.startswith("arn:"):
        return name_or_arn.partition("/")[2].lower()
    return name_or_arn.lower()
