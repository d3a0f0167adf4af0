"""The person at this machine: an IAM user who may do everything, with a key in a credentials file."""

import configparser
import os
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from local_cloud.cloud import Cloud

USER = "developer"
_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"


def provide_credentials(cloud: Cloud) -> Path:
    """The AWS credentials file of the user, whom the first start makes; a key that does not work is replaced."""
    path = cloud.state_dir / "credentials"
    iam = cloud.client("iam")
    try:
        iam.get_user(UserName=USER)
    except iam.exceptions.NoSuchEntityException:
        iam.create_user(UserName=USER)
    iam.attach_user_policy(UserName=USER, PolicyArn=_POLICY)
    if not _works(cloud, path):
        _write(path, iam.create_access_key(UserName=USER)["AccessKey"], cloud.region)
    return path


def _works(cloud: Cloud, path: Path) -> bool:
    profile = configparser.ConfigParser()
    profile.read(path)
    keys = {name: profile.get("default", name, fallback="") for name in ("aws_access_key_id", "aws_secret_access_key")}
    if not all(keys.values()):
        return False
    sts = boto3.client(
        "sts", endpoint_url=cloud.endpoint_url, region_name=cloud.region, verify=str(cloud.ca_bundle), **keys
    )
    try:
        sts.get_caller_identity()
    except ClientError:
        return False
    return True


def _write(path: Path, key: dict[str, Any], region: str) -> None:
    profile = configparser.ConfigParser()
    profile["default"] = {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
        "region": region,
    }
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        profile.write(file)
    draft.replace(path)
