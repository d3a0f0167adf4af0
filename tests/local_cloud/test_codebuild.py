"""CodeBuild driven by boto3: builds that really run."""

import contextlib
import hashlib
import io
import json
import re
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from codebuild_support import ENVIRONMENT, Builds, commands, error, failure, spec, statuses
from eventually import eventually
from local_cloud_access import make_role
from local_cloud_server import CloudServer


@pytest.fixture
def builds(cloud_server: CloudServer) -> Builds:
    return Builds(cloud_server)


class TestShell:
    """What commands see of each other and of the world."""

    def test_commands_share_one_shell_and_exported_variables_come_out(self, builds: Builds) -> None:
        files = {"exports.sh": "export FROM_FILE='it''s here'\n"}
        location = builds.put_source("source.zip", files)
        given = spec(
            env={"exported-variables": ["FROM_FILE", "PLACE", "LATER", "UNSET", "AWS_REGION"]},
            phases={
                "install": {"commands": [". ./exports.sh", "mkdir deep && cd deep", "unexported=yes"]},
                "build": {"commands": ['export PLACE="$(basename "$PWD")-$unexported"']},
                "post_build": {"commands": ["export LATER=$(printf 'two\\nlines')"]},
            },
        )
        build = builds.run(given, sourceTypeOverride="S3", sourceLocationOverride=location)
        assert build["buildStatus"] == "SUCCEEDED", builds.log(build)
        assert {v["name"]: v["value"] for v in build["exportedEnvironmentVariables"]} == {
            "FROM_FILE": "its here", "PLACE": "deep-yes", "LATER": "two\nlines", "UNSET": "",
        }  # fmt: skip

    def test_an_exit_in_the_middle_fails_the_phase_and_the_next_phase_goes_on_from_there(self, builds: Builds) -> None:
        given = commands(
            build=["export KEPT=kept; cd /tmp", "exit 7", "echo never"],
            post_build=['echo "succeeding=$CODEBUILD_BUILD_SUCCEEDING $KEPT $PWD"'],
        )
        build = builds.run(given)
        assert build["buildStatus"] == "FAILED"
        message = "Error while executing command: exit 7. Reason: exit status 7"
        assert failure(build) == ("BUILD", "COMMAND_EXECUTION_ERROR", message)
        assert "succeeding=0 kept /tmp" in builds.log(build)
        assert "echo never" not in builds.commands_run(build)

    def test_an_exit_with_zero_ends_its_command_only(self, builds: Builds) -> None:
        build = builds.run(commands(build=["export KEPT=1; exit 0", "test $KEPT = 1"]))
        assert build["buildStatus"] == "SUCCEEDED", builds.log(build)

    def test_a_command_of_several_lines_is_one_command(self, builds: Builds) -> None:
        block = "if true; then\n  echo one\nfi\nfor n in 2 3; do\n  echo number $n\ndone\n"
        build = builds.run(commands(build=[block, "false && true || echo 'quotes: \"x\" $((1+1))'"]))
        assert build["buildStatus"] == "SUCCEEDED"
        lines = builds.log(build).splitlines()
        assert [line for line in lines if line in ("one", "number 2", "number 3")] == ["one", "number 2", "number 3"]
        assert 'quotes: "x" $((1+1))' in lines

    @pytest.mark.parametrize(
        "command",
        [
            "sleep 300 &",
            "setsid sleep 300 &",
            "(while true; do echo tick; sleep 0.01; done) &",
            "nohup sleep 300 & disown",
        ],
        ids=["background", "other-session", "chatty", "disowned"],
    )
    def test_what_runs_in_the_background_neither_holds_the_build_up_nor_outlives_it(
        self, builds: Builds, command: str
    ) -> None:
        build = builds.run(commands(build=[command, "echo done"]))
        assert build["buildStatus"] == "SUCCEEDED"
        assert (build["endTime"] - build["startTime"]).total_seconds() < 30
        assert not _processes_of(build["id"])

    def test_a_missing_command_fails_with_its_status(self, builds: Builds) -> None:
        build = builds.run(commands(build=["no-such-command --now"]))
        assert failure(build)[2].endswith("no-such-command --now. Reason: exit status 127")
        assert "no-such-command" in builds.log(build)

    def test_a_shell_that_is_killed_fails_its_command(self, builds: Builds) -> None:
        build = builds.run(commands(build=["kill -9 $$"], post_build=["echo still here"]))
        assert failure(build)[2] == "Error while executing command: kill -9 $$. Reason: exit status 137"
        assert "\nstill here" in builds.log(build)

    def test_output_without_a_line_end_is_shown_and_harms_nothing(self, builds: Builds) -> None:
        build = builds.run(
            commands(build=["printf abc", "printf def >&2", "echo 'exit 3'", "set -x", "echo traced", "exit 0"])
        )
        assert build["buildStatus"] == "SUCCEEDED"
        lines = builds.log(build).splitlines()
        assert {"abc", "def", "exit 3", "++ echo traced"} <= set(lines)
        assert not any("__codebuild" in line for line in lines)

    def test_the_environment_is_the_builds_own(self, builds: Builds) -> None:
        given = spec(
            env={"variables": {"FROM_SPEC": "spec", "BOTH": "spec", "RAW": 10}},
            phases={"build": {"commands": ["env", "pwd"]}},
        )
        project = [{"name": "BOTH", "value": "project"}, {"name": "FROM_PROJECT", "value": "project"}]
        builds.project(given, environment=ENVIRONMENT | {"environmentVariables": project})
        build = builds.run(environmentVariablesOverride=[{"name": "FROM_PROJECT", "value": "start"}])
        lines = builds.log(build).splitlines()
        environment = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
        assert {k: environment[k] for k in ("FROM_SPEC", "BOTH", "FROM_PROJECT", "RAW")} == {
            "FROM_SPEC": "spec", "BOTH": "project", "FROM_PROJECT": "start", "RAW": "10",
        }  # fmt: skip
        assert environment["CODEBUILD_BUILD_ID"] == build["id"]
        assert environment["CODEBUILD_BUILD_ARN"] == build["arn"]
        assert environment["CODEBUILD_BUILD_NUMBER"] == "1"
        assert environment["CODEBUILD_LOG_PATH"] == build["logs"]["streamName"]
        assert (environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"]) == ("us-east-1", "us-east-1")
        assert environment["AWS_ENDPOINT_URL"] == builds.server.endpoint_url
        assert environment["CODEBUILD_SRC_DIR"] in lines  # what pwd said
        assert "PYTHONPATH" not in environment  # the server has one
        assert environment["HOME"] != str(Path.home())

    def test_each_build_has_a_python_of_its_own_in_which_pip_and_uv_install(self, builds: Builds) -> None:
        given = commands(
            install=["pip install --quiet uv==0.13.8", "uv pip install --system --quiet --offline uv==0.13.8"],
            build=[
                "python -c 'import sys; print(\"prefix\", sys.prefix)'; uv pip list --system | grep uv",
                "python -c 'import pydantic' 2>/dev/null && echo leaked || echo clean",
                'test -n "$AWS_SESSION_TOKEN" && echo "has credentials"',
            ],
        )
        build = builds.run(given)
        assert build["buildStatus"] == "SUCCEEDED", builds.log(build)
        log = builds.log(build)
        assert re.search(r"prefix .*/codebuild/pythons/\d+", log)
        assert "\nclean" in log
        assert "\nhas credentials" in log

    def test_what_a_build_installs_is_not_there_in_the_next(self, builds: Builds) -> None:
        made = "python -c \"import sysconfig, pathlib; pathlib.Path(sysconfig.get_path('purelib'), 'mine.py').touch()\""
        looked = "python -c 'import mine' 2>/dev/null && echo found || echo absent"
        first = builds.run(commands(build=[made, looked]))
        second = builds.run(buildspecOverride=commands(build=[looked]))
        assert "\nfound" in builds.log(first)
        assert "\nabsent" in builds.log(second)

    def test_the_builds_folder_is_gone_afterwards(self, builds: Builds) -> None:
        build = builds.run(commands(build=['echo "folder=$CODEBUILD_SRC_DIR"']))
        found = re.search(r"\nfolder=(.*)", builds.log(build))
        assert found
        eventually(lambda: not Path(found[1]).exists())

    def test_bash_is_used_when_it_is_asked_for(self, builds: Builds) -> None:
        given = spec(
            env={"shell": "bash"}, phases={"build": {"commands": ["[[ abc == a* ]] && shopt -o posix | grep off"]}}
        )
        build = builds.run(given)
        assert build["buildStatus"] == "SUCCEEDED", builds.log(build)


def _processes_of(build_id: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if build_id.encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
    return found


class TestPhases:
    """Which phases run after which failure."""

    GOOD: dict[str, str] = dict.fromkeys(
        ("DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS"), "SUCCEEDED"
    )

    def test_a_good_build_passes_through_all_phases(self, builds: Builds) -> None:
        build = builds.run(commands(build=["true"]))
        assert build["buildStatus"] == "SUCCEEDED"
        assert [phase["phaseType"] for phase in build["phases"]] == [
            "SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD",
            "UPLOAD_ARTIFACTS", "FINALIZING", "COMPLETED",
        ]  # fmt: skip
        assert (build["currentPhase"], build["buildNumber"], build["buildComplete"]) == ("COMPLETED", 1, True)
        assert build["startTime"] < build["endTime"]
        log = builds.log(build)
        assert re.search(
            r"^\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} Running command true$", log, re.MULTILINE
        )
        assert "Phase complete: BUILD State: SUCCEEDED" in log
        assert build["logs"]["groupName"] == f"/aws/codebuild/{builds.name}"
        assert build["logs"]["streamName"] == build["id"].partition(":")[2]

    @pytest.mark.parametrize(
        ("failing", "expected"),
        [
            ("install", {"DOWNLOAD_SOURCE": "SUCCEEDED", "INSTALL": "FAILED"}),
            ("pre_build", {"DOWNLOAD_SOURCE": "SUCCEEDED", "INSTALL": "SUCCEEDED", "PRE_BUILD": "FAILED"}),
            ("build", GOOD | {"BUILD": "FAILED"}),
            ("post_build", GOOD | {"POST_BUILD": "FAILED"}),
        ],
    )
    def test_a_failed_phase_decides_which_phases_follow(
        self, builds: Builds, failing: str, expected: dict[str, str]
    ) -> None:
        given: dict[str, list[str]] = {
            name: [f"echo {name}"] for name in ("install", "pre_build", "build", "post_build")
        }
        given[failing] = ["echo first", "false", "echo last"]
        build = builds.run(commands(**given))
        assert (build["buildStatus"], statuses(build)) == ("FAILED", expected)
        assert failure(build) == (
            failing.upper(), "COMMAND_EXECUTION_ERROR", "Error while executing command: false. Reason: exit status 1",
        )  # fmt: skip
        assert "echo last" not in builds.commands_run(build)
        assert "Command did not exit successfully false exit status 1" in builds.log(build)

    def test_on_failure_says_otherwise(self, builds: Builds) -> None:
        phases = {
            "install": {"on-failure": "CONTINUE", "commands": ["false"]},
            "build": {"on-failure": "ABORT", "commands": ["false"]},
            "post_build": {"commands": ["echo never"]},
        }
        build = builds.run(spec(phases=phases))
        assert build["buildStatus"] == "FAILED"
        assert statuses(build) == {
            "DOWNLOAD_SOURCE": "SUCCEEDED", "INSTALL": "FAILED", "PRE_BUILD": "SUCCEEDED", "BUILD": "FAILED",
        }  # fmt: skip

    def test_finally_runs_after_a_failure_and_its_own_failure_counts(self, builds: Builds) -> None:
        phases = {
            "pre_build": {"commands": ["true"], "finally": ["echo cleaned"]},
            "build": {"commands": ["false", "echo skipped"], "finally": ["echo wiped"]},
            "post_build": {"commands": ["true"], "finally": ["exit 9"]},
        }
        build = builds.run(spec(phases=phases))
        assert builds.commands_run(build) == ["true", "echo cleaned", "false", "echo wiped", "true", "exit 9"]
        assert statuses(build) == self.GOOD | {"BUILD": "FAILED", "POST_BUILD": "FAILED"}


class TestSourceAndBuildspec:
    """What a build is made of."""

    def test_sources_lie_in_their_folders_with_their_modes(self, builds: Builds) -> None:
        primary = builds.put_source("primary.zip", {"buildspec.yml": commands(build=[
            "./run.sh", 'cat "$CODEBUILD_SRC_DIR_Data/deep/table.csv"', 'test "$PWD" = "$CODEBUILD_SRC_DIR"',
        ]), "run.sh": "#!/bin/sh\necho it runs\n"})  # fmt: skip
        secondary = builds.put_source("secondary.zip", {"deep/table.csv": "a,b"})
        builds.project()
        build = builds.run(
            sourceLocationOverride=primary,
            secondarySourcesOverride=[{"type": "S3", "location": secondary, "sourceIdentifier": "Data"}],
        )
        assert build["buildStatus"] == "SUCCEEDED", builds.log(build)
        assert {"it runs", "a,b"} <= set(builds.log(build).splitlines())

    def test_a_buildspec_of_another_name_is_found_in_the_source(self, builds: Builds) -> None:
        location = builds.put_source(
            "s.zip", {"ci/spec.yml": "version: 0.2\nphases:\n  build:\n    commands:\n    - echo hi\n"}
        )
        builds.project(source={"type": "S3", "location": location, "buildspec": "ci/spec.yml"})
        assert builds.run()["buildStatus"] == "SUCCEEDED"
        build = builds.run(buildspecOverride="ci/none.yml")
        assert failure(build)[:2] == ("DOWNLOAD_SOURCE", "YAML_FILE_ERROR")
        assert re.fullmatch(r"stat /.*/src/ci/none\.yml: no such file or directory", failure(build)[2])

    def test_a_missing_source_fails_the_download(self, builds: Builds) -> None:
        builds.project(source={"type": "S3", "location": f"{builds.bucket}/none.zip"})
        build = builds.run()
        assert (build["buildStatus"], statuses(build)) == ("FAILED", {"DOWNLOAD_SOURCE": "FAILED"})
        assert [p["phaseType"] for p in build["phases"]][-2:] == ["FINALIZING", "COMPLETED"]
        phase, code, message = failure(build)
        assert (phase, code) == ("DOWNLOAD_SOURCE", "CLIENT_ERROR")
        assert f"for primary source and source version arn:aws:s3:::{builds.bucket}/none.zip" in message

    @pytest.mark.parametrize(
        ("name", "content"), [("no zip", b"hello"), ("zip slip", None)], ids=["not-a-zip", "path-outside"]
    )
    def test_a_source_that_is_no_honest_zip_file_fails_the_download(
        self, builds: Builds, name: str, content: bytes | None
    ) -> None:
        location = builds.put_source("s.zip", {"../evil": "x", "buildspec.yml": commands(build=["true"])})
        if content is not None:
            builds.s3.put_object(Bucket=builds.bucket, Key="s.zip", Body=content)
        builds.project(source={"type": "S3", "location": location})
        phase, code, message = failure(builds.run())
        assert (phase, code) == ("DOWNLOAD_SOURCE", "CLIENT_ERROR")
        assert "not a usable zip file" in message

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("version: 0.2\nphases: {build: {commands: [a, b}}\n", "expected ',' or ']', but got '}' at line 2"),
            ("version: 0.2\nphases:\n  compile:\n    commands: [make]\n",
             "Invalid buildspec phase name: compile. Expecting: build,install,post_build,pre_build"),
            ("version: 0.2\nphases:\n  build:\n    commands:\n    - true\n    - echo a: b\n",
             "Expected Commands[1] to be of string type: found subkeys instead"),
            ("version: 0.1\nphases:\n  build:\n    commands: [a]\n", "version: Input should be '0.2', got '0.1'"),
            ("version: 0.2\nphases:\n  build:\n    command: [a]\n", "phases.build.command: unknown key"),
        ],
        ids=["no-yaml", "phase-name", "command-map", "version", "key"],
    )  # fmt: skip
    def test_a_malformed_buildspec_fails_the_download(self, builds: Builds, text: str, message: str) -> None:
        build = builds.run(text)
        assert statuses(build) == {"DOWNLOAD_SOURCE": "FAILED"}
        assert failure(build)[:2] == ("DOWNLOAD_SOURCE", "YAML_FILE_ERROR")
        assert message in failure(build)[2]
        assert f"Phase context status code: YAML_FILE_ERROR Message: {failure(build)[2]}" in builds.log(build)

    @pytest.mark.parametrize(
        ("runtimes", "outcome"),
        [
            ({"python": "3.x", "nodejs": "latest"}, None),
            ({"python": "3.2"}, None),
            ({"python": "2.7"}, "Unknown runtime version named '2.7' of python. This build image has the"),
            ({"ruby": "3.2"}, "Unknown runtime named 'ruby'. This build image has the following runtimes: nodejs"),
        ],
        ids=["present", "another-minor-version", "another-major-version", "absent"],
    )  # fmt: skip
    def test_runtimes_are_those_of_this_machine(
        self, builds: Builds, runtimes: dict[str, str], outcome: str | None
    ) -> None:
        phases = {
            "install": {"runtime-versions": runtimes},
            "build": {"commands": ["python --version", "node --version"]},
        }
        build = builds.run(spec(phases=phases))
        if outcome is None:
            assert build["buildStatus"] == "SUCCEEDED", builds.log(build)
            assert ("This machine has python" in builds.log(build)) == (runtimes["python"] == "3.2")
        else:
            assert failure(build)[:2] == ("DOWNLOAD_SOURCE", "YAML_FILE_ERROR")
            assert outcome in failure(build)[2]


class TestSecrets:
    """Values from the Parameter Store and Secrets Manager."""

    def test_secrets_reach_the_commands_and_never_the_log(self, builds: Builds) -> None:
        ssm, secrets = builds.server.client("ssm"), builds.server.client("secretsmanager")
        ssm.put_parameter(Name=f"/{builds.name}/token", Value="parameter-v4lue", Type="SecureString")
        secrets.create_secret(Name=builds.name, SecretString=json.dumps({"password": "json-v4lue\nsecond-l1ne"}))
        given = spec(
            env={
                "parameter-store": {"TOKEN": f"/{builds.name}/token"},
                "secrets-manager": {"PASSWORD": f"{builds.name}:password"},
                "exported-variables": ["TOKEN", "DIGEST"],
            },
            phases={
                "build": {
                    "commands": [
                        'echo "it is <$TOKEN> and <$PASSWORD> and <$WHOLE>"',
                        'export DIGEST=$(printf %s "$TOKEN" | sha256sum | cut -c1-8)',
                        'echo "$AWS_SECRET_ACCESS_KEY / $AWS_SESSION_TOKEN / $AWS_ACCESS_KEY_ID"',
                        'cat "parameter-v4lue"',
                    ]
                }
            },
        )
        whole = [{"name": "WHOLE", "value": builds.name, "type": "SECRETS_MANAGER"}]
        build = builds.run(given, environmentVariablesOverride=whole)
        log = builds.log(build)
        assert "it is <***> and <***\n***> and <***>" in log
        assert "\n*** / *** / ***" in log
        assert "v4lue" not in log
        assert "v4lue" not in json.dumps(build["phases"], default=str)
        digest = hashlib.sha256(b"parameter-v4lue").hexdigest()[:8]
        assert build["exportedEnvironmentVariables"] == [{"name": "DIGEST", "value": digest}]

    @pytest.mark.parametrize(
        ("env", "code", "message"),
        [
            (
                {"parameter-store": {"A": "/none/here"}},
                "Decrypted Variables Error",
                "parameter does not exist: /none/here",
            ),
            ({"secrets-manager": {"A": "none-here"}}, "Secrets Manager Error Message", "ResourceNotFoundException"),
        ],
        ids=["parameter", "secret"],
    )
    def test_a_missing_secret_fails_the_download(
        self, builds: Builds, env: dict[str, Any], code: str, message: str
    ) -> None:
        build = builds.run(spec(env=env, phases={"build": {"commands": ["true"]}}))
        assert failure(build)[:2] == ("DOWNLOAD_SOURCE", code)
        assert message in failure(build)[2]


class TestArtifacts:
    """What goes to S3."""

    def target(self, builds: Builds, **members: Any) -> dict[str, Any]:
        return {"type": "S3", "location": builds.bucket, "packaging": "ZIP", "name": "out.zip", "path": "a/b"} | members

    def unzip(self, builds: Builds, key: str) -> dict[str, bytes]:
        archive = zipfile.ZipFile(io.BytesIO(builds.read(key)))
        return {name: archive.read(name) for name in archive.namelist()}

    def test_primary_and_secondary_artifacts_are_zipped_into_their_places(self, builds: Builds) -> None:
        make = "mkdir -p out/deep site && echo 1 > out/one.json && echo 2 > out/deep/two.json && echo x > out/no.txt"
        given = spec(
            phases={"build": {"commands": [make, "echo '<p>' > site/index.html && chmod 755 out/one.json"]}},
            artifacts={
                "files": ["**/*.json"], "base-directory": "out",
                "secondary-artifacts": {"Site": {"files": ["site/*"], "discard-paths": "yes"}},
            },
        )  # fmt: skip
        build = builds.run(
            given, artifactsOverride=self.target(builds),
            secondaryArtifactsOverride=[self.target(builds, name="site.zip", artifactIdentifier="Site")],
        )  # fmt: skip
        assert build["buildStatus"] == "SUCCEEDED", builds.log(build)
        assert self.unzip(builds, "a/b/out.zip") == {"one.json": b"1\n", "deep/two.json": b"2\n"}
        assert self.unzip(builds, "a/b/site.zip") == {"index.html": b"<p>\n"}
        packed = builds.read("a/b/out.zip")
        assert zipfile.ZipFile(io.BytesIO(packed)).getinfo("one.json").external_attr >> 16 & 0o777 == 0o755
        assert build["artifacts"]["location"] == f"arn:aws:s3:::{builds.bucket}/a/b/out.zip"
        assert build["artifacts"]["sha256sum"] == hashlib.sha256(packed).hexdigest()
        assert [a["artifactIdentifier"] for a in build["secondaryArtifacts"]] == ["Site"]

    def test_artifacts_without_packaging_are_uploaded_file_by_file(self, builds: Builds) -> None:
        given = spec(
            phases={"build": {"commands": ["echo 1 > one"]}}, artifacts={"files": ["one"], "name": "v-$(echo 1)"}
        )
        target = self.target(builds, packaging="NONE", namespaceType="BUILD_ID", overrideArtifactName=True)
        build = builds.run(given, artifactsOverride=target)
        uuid_part = build["id"].partition(":")[2]
        assert builds.read(f"a/b/{uuid_part}/v-1/one") == b"1\n"

    @pytest.mark.parametrize(
        ("artifacts", "message"),
        [
            ({"files": ["none/**"]}, "no matching artifact paths found"),
            ({"files": ["*"], "base-directory": "none"}, "no matching base directory path found for none"),
            (None, "the build has an output artifact, but the buildspec no artifacts section"),
        ],
        ids=["no-file", "no-directory", "no-section"],
    )
    def test_a_missing_artifact_fails_the_upload(
        self, builds: Builds, artifacts: dict[str, Any] | None, message: str
    ) -> None:
        sections = {"artifacts": artifacts} if artifacts else {}
        given = spec(phases={"build": {"commands": ["true"]}}, **sections)
        build = builds.run(given, artifactsOverride=self.target(builds))
        assert build["buildStatus"] == "FAILED"
        assert failure(build) == ("UPLOAD_ARTIFACTS", "CLIENT_ERROR", message)

    def test_artifacts_are_uploaded_even_when_the_build_phase_fails(self, builds: Builds) -> None:
        given = spec(phases={"build": {"commands": ["echo 1 > one", "false"]}}, artifacts={"files": ["one"]})
        build = builds.run(given, artifactsOverride=self.target(builds))
        assert build["buildStatus"] == "FAILED"
        assert self.unzip(builds, "a/b/out.zip") == {"one": b"1\n"}

    def test_a_bucket_that_does_not_exist_fails_the_upload(self, builds: Builds) -> None:
        given = spec(phases={"build": {"commands": ["echo 1 > one"]}}, artifacts={"files": ["one"]})
        build = builds.run(given, artifactsOverride=self.target(builds, location="no-such-bucket"))
        assert failure(build)[:2] == ("UPLOAD_ARTIFACTS", "CLIENT_ERROR")
        assert "NoSuchBucket" in failure(build)[2]


JUNIT = """<?xml version="1.0"?>
<testsuites><testsuite name="pytest" tests="4">
<testcase classname="tests.test_a" name="test_good" time="0.25"/>
<testcase classname="tests.test_a" name="test_bad" time="1.5">
<failure message="assert 1 == 2">the trace</failure></testcase>
<testcase classname="tests.test_a" name="test_skipped" time="0"><skipped message="no gpu"/></testcase>
<testcase classname="tests.test_b" name="test_error" time="0"><error message="boom"/></testcase>
</testsuite></testsuites>"""
COBERTURA = """<coverage><packages><package><classes><class filename="a.py"><lines>
<line number="1" hits="1"/><line number="2" hits="0"/>
<line number="3" hits="4" branch="true" condition-coverage="50% (1/2)"/>
</lines></class><class filename="b.py"><lines><line number="1" hits="1"/></lines></class></classes></package></packages>
</coverage>"""


class TestReports:
    """Test results and coverage."""

    def run(self, builds: Builds, files: dict[str, str], reports: dict[str, Any]) -> dict[str, Any]:
        given = {"version": "0.2", "phases": {"build": {"commands": ["ls"]}}, "reports": reports}
        location = builds.put_source("s.zip", files | {"buildspec.yml": json.dumps(given)})
        builds.project(source={"type": "S3", "location": location})
        return builds.run()

    def test_a_test_report_shows_what_failed(self, builds: Builds) -> None:
        build = self.run(builds, {"out/junit.xml": JUNIT}, {"unit": {"files": ["*.xml"], "base-directory": "out"}})
        assert build["buildStatus"] == "SUCCEEDED"
        (report,) = builds.client.batch_get_reports(reportArns=build["reportArns"])["reports"]
        assert (report["type"], report["status"], report["executionId"]) == ("TEST", "FAILED", build["arn"])
        assert report["reportGroupArn"].endswith(f":report-group/{builds.name}-unit")
        assert report["testSummary"] == {
            "total": 4, "durationInNanoSeconds": 1_750_000_000,
            "statusCounts": {"SUCCEEDED": 1, "FAILED": 1, "ERROR": 1, "SKIPPED": 1, "UNKNOWN": 0},
        }  # fmt: skip
        failed = builds.client.describe_test_cases(reportArn=report["arn"], filter={"status": "FAILED"})["testCases"]
        assert [(case["prefix"], case["name"], case["message"], case["durationInNanoSeconds"]) for case in failed] == [
            ("tests.test_a", "test_bad", "assert 1 == 2\nthe trace", 1_500_000_000)
        ]
        assert len(builds.client.describe_test_cases(reportArn=report["arn"])["testCases"]) == 4
        listed = builds.client.list_reports_for_report_group(reportGroupArn=report["reportGroupArn"])["reports"]
        assert listed == [report["arn"]]

    def test_a_coverage_report_counts_lines_and_branches(self, builds: Builds) -> None:
        section = {"coverage": {"files": ["coverage.xml"], "file-format": "CoberturaXml"}}
        build = self.run(builds, {"coverage.xml": COBERTURA}, section)
        (report,) = builds.client.batch_get_reports(reportArns=build["reportArns"])["reports"]
        assert report["codeCoverageSummary"] == {
            "linesCovered": 3, "linesMissed": 1, "lineCoveragePercentage": 75.0,
            "branchesCovered": 1, "branchesMissed": 1, "branchCoveragePercentage": 50.0,
        }  # fmt: skip
        coverages = builds.client.describe_code_coverages(reportArn=report["arn"])["codeCoverages"]
        assert [(one["filePath"], one["lineCoveragePercentage"]) for one in coverages] == [
            ("a.py", 66.67),
            ("b.py", 100.0),
        ]

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            ("<testsuites>", "error parsing junit.xml: no element found"),
            ("<html/>", "error parsing junit.xml: its root is html"),
            (
                '<!DOCTYPE x [<!ENTITY a "b">]><testsuites>&a;</testsuites>',
                "error parsing junit.xml: EntitiesForbidden",
            ),
            (None, "report files not found in build"),
        ],
        ids=["no-xml", "no-junit", "entities", "no-file"],
    )
    def test_an_unreadable_report_is_said_and_fails_nothing(
        self, builds: Builds, content: str | None, fault: str
    ) -> None:
        build = self.run(builds, {"junit.xml": content} if content else {}, {"unit": {"files": ["junit.xml"]}})
        assert build["buildStatus"] == "SUCCEEDED"
        upload = next(p for p in build["phases"] if p["phaseType"] == "UPLOAD_ARTIFACTS")
        assert upload["contexts"][0]["message"].startswith(f"Error in UPLOAD_ARTIFACTS phase: [unit: [{fault}")

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            ("<coverage>", "error parsing coverage.xml: no element found"),
            (JUNIT, "error parsing coverage.xml: its root is testsuites, not coverage"),
            (COBERTURA.replace('hits="0"', 'hits="some"'), "error parsing coverage.xml: invalid literal for int()"),
            (None, "report files not found in build"),
        ],
        ids=["no-xml", "no-cobertura", "no-number", "no-file"],
    )
    def test_an_unreadable_coverage_is_said_and_the_other_report_is_kept(
        self, builds: Builds, content: str | None, fault: str
    ) -> None:
        files = {"junit.xml": JUNIT} | ({"coverage.xml": content} if content else {})
        coverage = {"files": ["coverage.xml"], "file-format": "COBERTURAXML"}
        build = self.run(builds, files, {"unit": {"files": ["junit.xml"]}, "coverage": coverage})
        assert build["buildStatus"] == "SUCCEEDED"
        upload = next(p for p in build["phases"] if p["phaseType"] == "UPLOAD_ARTIFACTS")
        assert upload["contexts"][0]["message"].startswith(f"Error in UPLOAD_ARTIFACTS phase: [coverage: [{fault}")
        (report,) = builds.client.batch_get_reports(reportArns=build["reportArns"])["reports"]
        assert report["type"] == "TEST"

    @pytest.mark.parametrize("denied", ["BatchPutCodeCoverages", "CreateReport", "CreateReportGroup", "UpdateReport"])
    def test_a_role_that_may_not_publish_coverage_is_told_the_action_and_the_group(
        self, builds: Builds, denied: str
    ) -> None:
        section = {"coverage": {"files": ["coverage.xml"], "file-format": "COBERTURAXML"}}
        given = {"version": "0.2", "phases": {"build": {"commands": ["ls"]}}, "reports": section}
        location = builds.put_source("s.zip", {"buildspec.yml": json.dumps(given), "coverage.xml": COBERTURA})
        role = make_role(builds.server, "codebuild", {"NotAction": f"codebuild:{denied}", "Resource": "*"})
        builds.project(source={"type": "S3", "location": location}, serviceRole=role)
        build = builds.run()
        upload = next(p for p in build["phases"] if p["phaseType"] == "UPLOAD_ARTIFACTS")
        assert f"is not authorized to perform: codebuild:{denied} on resource: " in upload["contexts"][0]["message"]
        assert f":report-group/{builds.name}-coverage" in upload["contexts"][0]["message"]
        assert build["reportArns"] == []

    def test_coverage_is_filtered_and_sorted_by_its_percentage(self, builds: Builds) -> None:
        section = {"coverage": {"files": ["coverage.xml"], "file-format": "COBERTURAXML"}}
        (arn,) = self.run(builds, {"coverage.xml": COBERTURA}, section)["reportArns"]

        def files(**request: Any) -> list[str]:
            found = builds.client.describe_code_coverages(reportArn=arn, **request)["codeCoverages"]
            return [one["filePath"] for one in found]

        assert files(sortBy="LINE_COVERAGE_PERCENTAGE", sortOrder="DESCENDING") == ["b.py", "a.py"]
        assert files(minLineCoveragePercentage=66.67, maxLineCoveragePercentage=99.9) == ["a.py"]
        assert files(minLineCoveragePercentage=66.68) == ["b.py"]
        assert error(builds.client.describe_code_coverages, reportArn=f"{arn}x")[0] == "InvalidInputException"

    def test_report_groups_are_made_listed_and_deleted(self, builds: Builds) -> None:
        client = builds.client
        made = client.create_report_group(name=builds.name, type="TEST", exportConfig={"exportConfigType": "NO_EXPORT"})
        arn = made["reportGroup"]["arn"]
        self.run(builds, {"junit.xml": JUNIT}, {arn: {"files": ["junit.xml"]}})
        assert arn in client.list_report_groups()["reportGroups"]
        assert error(client.delete_report_group, arn=arn)[0] == "InvalidInputException"
        client.delete_report_group(arn=arn, deleteReports=True)
        assert client.batch_get_report_groups(reportGroupArns=[arn])["reportGroupsNotFound"] == [arn]
        assert error(client.list_reports_for_report_group, reportGroupArn=arn)[0] == "ResourceNotFoundException"


class TestLife:
    """Starting, stopping, repeating, and what a killed server leaves."""

    def test_a_stopped_build_lets_its_command_end_in_order(self, builds: Builds) -> None:
        handler = (
            "trap 'echo stopping the job; exit 0' TERM; touch started; echo ready; while true; do sleep 0.05; done"
        )
        builds.project(commands(build=[f'bash -c "{handler}"'], post_build=["echo never"]))
        build_id = builds.start()
        eventually(lambda: "logs" in builds.get(build_id) and "\nready" in _log_so_far(builds, build_id))
        stopped = builds.client.stop_build(id=build_id)["build"]
        assert (stopped["buildStatus"], stopped["currentPhase"]) == ("STOPPED", "COMPLETED")
        build = builds.finished(build_id)
        assert statuses(build) | {"BUILD": "STOPPED"} == statuses(build)
        assert "POST_BUILD" not in statuses(build)
        assert "stopping the job" in builds.log(build)
        assert not _processes_of(build_id)
        assert builds.client.stop_build(id=build_id)["build"]["buildStatus"] == "STOPPED"

    def test_builds_run_side_by_side(self, builds: Builds, tmp_path: Path) -> None:
        meet = (
            f'touch {tmp_path}/$CODEBUILD_BUILD_NUMBER; while [ "$(ls {tmp_path} | wc -l)" -lt 4 ]; do sleep 0.02; done'
        )
        builds.project(commands(build=[meet]))
        build_ids = [builds.start() for _ in range(4)]
        found = [builds.finished(build_id) for build_id in build_ids]
        assert {build["buildStatus"] for build in found} == {"SUCCEEDED"}
        assert [build["buildNumber"] for build in found] == [1, 2, 3, 4]
        listed = builds.client.list_builds_for_project(projectName=builds.name)["ids"]
        assert listed == build_ids[::-1]
        assert builds.client.list_builds_for_project(projectName=builds.name, sortOrder="ASCENDING")["ids"] == build_ids

    def test_an_idempotency_token_starts_one_build(self, builds: Builds) -> None:
        builds.project(commands(build=["true"]))
        first = builds.start(idempotencyToken=builds.name)
        assert builds.start(idempotencyToken=builds.name) == first
        code, _ = error(builds.start, idempotencyToken=builds.name, sourceVersion="other")
        assert code == "InvalidInputException"
        builds.finished(first)

    def test_a_build_can_be_retried_with_all_its_overrides(self, builds: Builds) -> None:
        builds.project(commands(build=['test "$GOOD" = yes && exit 3']))
        first = builds.run(environmentVariablesOverride=[{"name": "GOOD", "value": "yes"}])
        again = builds.finished(builds.client.retry_build(id=first["id"])["build"]["id"])
        assert (again["id"] != first["id"], again["buildNumber"]) == (True, 2)
        assert failure(again)[2].endswith("exit status 3")

    def test_a_build_tells_who_started_it(self, builds: Builds) -> None:
        builds.project(commands(build=["echo started by $CODEBUILD_INITIATOR"]))
        build = builds.run()
        assert build["initiator"] == builds.server.caller_arn.rpartition("/")[2]
        assert f"\nstarted by {build['initiator']}" in builds.log(build)

    def test_facts_of_the_caller_become_the_builds(self, builds: Builds) -> None:
        builds.project(commands(build=['echo "$CODEBUILD_INITIATOR $CODEBUILD_RESOLVED_SOURCE_VERSION"']))
        facts = {"CODEBUILD_INITIATOR": "codepipeline/flights", "CODEBUILD_RESOLVED_SOURCE_VERSION": "0123abc"}
        build = builds.run(environmentVariablesOverride=[{"name": k, "value": v} for k, v in facts.items()])
        assert (build["initiator"], build["resolvedSourceVersion"]) == ("codepipeline/flights", "0123abc")
        assert "\ncodepipeline/flights 0123abc" in builds.log(build)
        assert build["environment"]["environmentVariables"] == []

    def test_a_log_of_another_name_or_none(self, builds: Builds) -> None:
        group = {"status": "ENABLED", "groupName": f"/my/{builds.name}", "streamName": "stream"}
        builds.project(commands(build=["echo here"]), logsConfig={"cloudWatchLogs": group})
        build = builds.run()
        assert build["logs"]["streamName"] == f"stream/{build['id'].partition(':')[2]}"
        assert "\nhere" in builds.log(build)
        quiet = builds.run(logsConfigOverride={"cloudWatchLogs": {"status": "DISABLED"}})
        assert (quiet["buildStatus"], "groupName" in quiet["logs"]) == ("SUCCEEDED", False)

    def test_errors_have_the_codes_of_aws(self, builds: Builds) -> None:
        client = builds.client
        unchecked = boto3.client(
            "codebuild", endpoint_url=builds.server.endpoint_url, region_name="us-east-1", **builds.server.keys(),
            verify=builds.server.ca_bundle, config=Config(parameter_validation=False),
        )  # fmt: skip
        code, message = error(client.start_build, projectName="nowhere")
        assert code == "ResourceNotFoundException"
        assert message == "Project cannot be found: arn:aws:codebuild:us-east-1:000000000000:project/nowhere"
        assert error(client.stop_build, id="nowhere:1")[0] == "ResourceNotFoundException"
        assert error(client.list_builds_for_project, projectName="nowhere")[0] == "ResourceNotFoundException"
        assert client.batch_get_builds(ids=["nowhere:1"])["buildsNotFound"] == ["nowhere:1"]
        builds.project(commands(build=["true"]))
        assert error(builds.project)[0] == "ResourceAlreadyExistsException"
        assert error(client.update_project, name="nowhere")[0] == "ResourceNotFoundException"
        assert (
            error(unchecked.start_build, projectName=builds.name, timeoutInMinutesOverride=1)[0]
            == "InvalidInputException"
        )
        code, message = error(builds.start, sourceTypeOverride="GITHUB", sourceLocationOverride="https://example.com/x")
        assert (code, "Source type GITHUB cannot be built" in message) == ("InvalidInputException", True)
        assert error(builds.start, artifactsOverride={"type": "CODEPIPELINE"})[0] == "InvalidInputException"

    def test_projects_are_changed_listed_and_deleted(self, builds: Builds) -> None:
        made = builds.project(commands(build=["false"]), timeoutInMinutes=7, tags=[{"key": "a", "value": "b"}])
        assert (made["arn"].partition(":project/")[2], made["timeoutInMinutes"]) == (builds.name, 7)
        changed = builds.client.update_project(name=builds.name, description="new")["project"]
        assert (changed["description"], changed["timeoutInMinutes"], changed["tags"]) == ("new", 7, made["tags"])
        builds.client.update_project(
            name=builds.name, source={"type": "NO_SOURCE", "buildspec": commands(build=["true"])}
        )
        build = builds.run()
        assert (build["buildStatus"], build["timeoutInMinutes"]) == ("SUCCEEDED", 7)
        assert builds.name in builds.client.list_projects()["projects"]
        builds.client.delete_project(name=builds.name)
        builds.client.delete_project(name=builds.name)
        assert builds.client.batch_get_projects(names=[builds.name])["projectsNotFound"] == [builds.name]
        assert builds.get(build["id"])["buildStatus"] == "SUCCEEDED"

    def test_a_killed_server_fails_its_builds_and_leaves_no_process(
        self, start_cloud: Callable[[], CloudServer]
    ) -> None:
        server = start_cloud()
        builds = Builds(server)
        builds.project(commands(build=["setsid sleep 300 & sleep 300 & sleep 300"]))
        build_id = builds.start()
        eventually(lambda: len(_processes_of(build_id)) >= 4)
        server.stop(signal.SIGKILL)
        again = start_cloud()
        build = again.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
        assert (build["buildStatus"], build["buildComplete"], build["currentPhase"]) == ("FAULT", True, "COMPLETED")
        assert failure(build)[0] == "BUILD"
        assert "The local cloud ended while this build ran" in failure(build)[2]
        eventually(lambda: not _processes_of(build_id))
        assert not list((again.state_dir / "codebuild").glob("builds/*"))


def _log_so_far(builds: Builds, build_id: str) -> str:
    try:
        return builds.log(builds.get(build_id))
    except ClientError:
        return ""


class TestCloudFormation:
    """The types AWS::CodeBuild::Project and AWS::CodeBuild::ReportGroup."""

    def deploy(
        self, server: CloudServer, stack: str, resources: dict[str, Any], *, update: bool = False
    ) -> dict[str, Any]:
        outputs = {f"{name}{what}": {"Value": value} for name in resources
                   for what, value in (("Ref", {"Ref": name}), ("Arn", {"Fn::GetAtt": [name, "Arn"]}))}  # fmt: skip
        client = server.client("cloudformation")
        template = json.dumps({"Resources": resources, "Outputs": outputs})
        (client.update_stack if update else client.create_stack)(StackName=stack, TemplateBody=template)

        def settled() -> dict[str, Any] | None:
            found = client.describe_stacks(StackName=stack)["Stacks"][0]
            return None if found["StackStatus"].endswith("IN_PROGRESS") else found

        return eventually(settled)

    def project(self, builds: Builds, **members: Any) -> dict[str, Any]:
        properties = {
            "Name": builds.name, "ServiceRole": builds.role_arn, "Artifacts": {"Type": "NO_ARTIFACTS"},
            "Source": {"Type": "NO_SOURCE", "BuildSpec": commands(build=["echo $GREETING"])},
            "Environment": {
                "Type": "LINUX_CONTAINER", "Image": "aws/codebuild/standard:7.0", "ComputeType": "BUILD_GENERAL1_SMALL",
                "PrivilegedMode": "true",
                "EnvironmentVariables": [{"Name": "GREETING", "Value": "hello", "Type": "PLAINTEXT"}],
            },
            "Cache": {"Type": "NO_CACHE"}, "EncryptionKey": "alias/aws/s3", "TimeoutInMinutes": "30",
            "Tags": [{"Key": "team", "Value": "ml"}], "Visibility": "PRIVATE",
            "LogsConfig": {"CloudWatchLogs": {"Status": "ENABLED", "GroupName": f"/logs/{builds.name}"}},
        }  # fmt: skip
        return {"Type": "AWS::CodeBuild::Project", "Properties": properties | members}

    def test_a_project_of_a_template_builds_and_changes_and_goes(self, builds: Builds) -> None:
        made = self.deploy(builds.server, builds.name, {"Project": self.project(builds)})
        outputs = {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}
        (project,) = builds.client.batch_get_projects(names=[builds.name])["projects"]
        assert outputs == {"ProjectRef": builds.name, "ProjectArn": project["arn"]}
        assert (project["timeoutInMinutes"], project["environment"]["privilegedMode"]) == (30, True)
        assert {"key": "team", "value": "ml"} in project["tags"]
        build = builds.run()
        assert build["logs"]["groupName"] == f"/logs/{builds.name}"
        assert "\nhello" in builds.log(build)
        properties = self.project(builds, Description="new")
        del properties["Properties"]["Tags"]
        self.deploy(builds.server, builds.name, {"Project": properties}, update=True)
        (project,) = builds.client.batch_get_projects(names=[builds.name])["projects"]
        assert project["description"] == "new"
        assert "team" not in {tag["key"] for tag in project["tags"]}
        assert builds.run()["buildNumber"] == 2
        builds.server.client("cloudformation").delete_stack(StackName=builds.name)
        eventually(lambda: builds.client.batch_get_projects(names=[builds.name])["projectsNotFound"])

    def test_an_unserved_property_is_refused_by_name(self, builds: Builds) -> None:
        made = self.deploy(builds.server, builds.name, {"Project": self.project(builds, Triggers={"Webhook": True})})
        assert made["StackStatus"] in ("CREATE_FAILED", "ROLLBACK_COMPLETE")
        events = builds.server.client("cloudformation").describe_stack_events(StackName=builds.name)["StackEvents"]
        assert any("Project.Triggers is not served" in event.get("ResourceStatusReason", "") for event in events)

    def test_a_report_group_of_a_template_is_made_and_deleted(self, builds: Builds) -> None:
        properties = {
            "Name": builds.name,
            "Type": "TEST",
            "ExportConfig": {"ExportConfigType": "NO_EXPORT"},
            "DeleteReports": True,
        }
        made = self.deploy(
            builds.server, builds.name, {"Group": {"Type": "AWS::CodeBuild::ReportGroup", "Properties": properties}}
        )
        arn = f"arn:aws:codebuild:us-east-1:000000000000:report-group/{builds.name}"
        assert {one["OutputValue"] for one in made["Outputs"]} == {arn}
        assert builds.client.batch_get_report_groups(reportGroupArns=[arn])["reportGroups"][0]["type"] == "TEST"
        builds.server.client("cloudformation").delete_stack(StackName=builds.name)
        eventually(lambda: builds.client.batch_get_report_groups(reportGroupArns=[arn])["reportGroupsNotFound"])
