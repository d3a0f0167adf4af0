"""What `aws codecommit credential-helper` answers git, of the standard library alone.

The aws command takes half a second of computing for it, once for every push and clone of a test.
"""

import configparser
import hashlib
import hmac
import os
import sys
from datetime import UTC, datetime


def _signed(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _password(secret: str, region: str, host: str, path: str) -> str:
    """A time, Z, and a Signature Version 4 over the repository's path; a host is signed without its port."""
    timestamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    scope = (timestamp[:8], region, "codecommit", "aws4_request")
    canonical = f"GIT\n/{path}\n\nhost:{host.partition(':')[0]}\n\nhost\n"
    text = f"AWS4-HMAC-SHA256\n{timestamp}\n{'/'.join(scope)}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = _signed(key, part)
    return f"{timestamp}Z{_signed(key, text).hex()}"


def main() -> None:
    asked = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin if "=" in line)
    profile = configparser.ConfigParser()
    profile.read(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
    keys = {**profile["default"], **{name.lower(): value for name, value in os.environ.items()}}
    token = f"%{keys['aws_session_token']}" if "aws_session_token" in keys else ""
    password = _password(keys["aws_secret_access_key"], os.environ["AWS_REGION"], asked["host"], asked["path"])
    print(f"username={keys['aws_access_key_id']}{token}\npassword={password}")


if __name__ == "__main__":
    main()
