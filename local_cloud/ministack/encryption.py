"""KMS behind other services: what lies under a customer's key needs the caller's leave to use the key."""

from typing import Any

from defusedxml import ElementTree

from local_cloud.authorization import Check

_OF_OBJECTS = {
    "s3:PutObject": "kms:GenerateDataKey",
    "s3:GetObject": "kms:Decrypt",
    "s3:GetObjectVersion": "kms:Decrypt",
}


def kms_check(s3: Any, sns: Any, check: Check, region: str) -> Check | None:
    """What KMS is asked behind a call, None if nothing.

    Sources: Amazon S3 user guide, "Using server-side encryption with AWS KMS keys" (permissions, encryption context
    with a bucket key); Amazon SNS developer guide, "Managing Amazon SNS encryption keys and costs".
    """
    if check.action in _OF_OBJECTS:
        bucket = check.resource.rpartition(":::")[2].partition("/")[0]
        return _of_object(_OF_OBJECTS[check.action], bucket, s3._bucket_encryption.get(bucket), check.resource, region)
    if check.action == "sns:Publish":
        key = ((sns._topics.get(check.resource) or {}).get("attributes") or {}).get("KmsMasterKeyId", "")
        return Check("kms:GenerateDataKey", key, {"kms:ViaService": f"sns.{region}.amazonaws.com"}) if key else None
    return None


def _of_object(action: str, bucket: str, configuration: str | None, object_arn: str, region: str) -> Check | None:
    texts = _texts(configuration) if configuration else {}
    key = texts.get("KMSMasterKeyID", "")
    if texts.get("SSEAlgorithm") != "aws:kms" or not key:
        return None
    encrypted = f"arn:aws:s3:::{bucket}" if texts.get("BucketKeyEnabled") == "true" else object_arn
    context = {"kms:ViaService": f"s3.{region}.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": encrypted}
    return Check(action, key, context)


def _texts(document: str) -> dict[str, str]:
    return {
        element.tag.rpartition("}")[2]: (element.text or "").strip()
        for element in ElementTree.fromstring(document).iter()
    }


def bucket_encryption(properties: dict[str, Any]) -> str | None:
    """The BucketEncryption of a template as the document that PutBucketEncryption takes."""
    rules = (properties.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration") or []
    if not rules:
        return None
    rule, default = rules[0], rules[0].get("ServerSideEncryptionByDefault") or {}
    key = f"<KMSMasterKeyID>{default['KMSMasterKeyID']}</KMSMasterKeyID>" if "KMSMasterKeyID" in default else ""
    return (
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
        f"<SSEAlgorithm>{default.get('SSEAlgorithm', 'AES256')}</SSEAlgorithm>{key}"
        "</ApplyServerSideEncryptionByDefault>"
        f"<BucketKeyEnabled>{str(rule.get('BucketKeyEnabled', False)).lower()}</BucketKeyEnabled>"
        "</Rule></ServerSideEncryptionConfiguration>"
    )
