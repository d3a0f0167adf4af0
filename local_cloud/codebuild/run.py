"""One build, from its sources to its artifacts."""

import logging
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_cloud.cloud import Cloud, LogStream
from local_cloud.codebuild import artifacts, git_source, source, variables
from local_cloud.codebuild.buildspec import Artifact, Buildspec, BuildspecError, Phase, parse
from local_cloud.codebuild.container_log import ContainerLog
from local_cloud.codebuild.failures import PhaseError
from local_cloud.codebuild.interruption import BuildStoppedError, BuildTimedOutError, Interruption
from local_cloud.codebuild.phases import next_phase
from local_cloud.codebuild.record import BuildRecord
from local_cloud.codebuild.report_groups import ReportGroups
from local_cloud.codebuild.reports import ReportError
from local_cloud.codebuild.runtimes import select_runtimes
from local_cloud.codebuild.shell import Shell
from local_cloud.codebuild.toolchain import Toolchain
from local_cloud.codebuild.variables import Variables
from local_cloud.store import Table
from local_cloud.wire import ServiceError

logger = logging.getLogger(__name__)

_STOP_GRACE_SECONDS = 20.0  # for a step that stops its job when it is stopped itself
_SHELLS = {"bash": ["bash"], "/bin/sh": ["bash", "--posix"], "sh": ["bash", "--posix"]}  # as Amazon Linux's sh


class BuildRun:
    """Runs a build that is recorded in the table; `run` never raises."""

    def __init__(
        self, cloud: Cloud, table: Table, build_id: str, toolchain: Toolchain, report_groups: ReportGroups,
        interruption: Interruption,
    ) -> None:  # fmt: skip
        self._toolchain = toolchain
        self._report_groups = report_groups
        self._interruption = interruption
        build = table.get(build_id)
        assert build is not None
        self._build = build
        project_arn = build["arn"].replace(":build/", ":project/").rpartition(":")[0]
        self._cloud = cloud.on_behalf_of(project_arn)
        self._uuid = build_id.rpartition(":")[2]
        self._stream: LogStream | None = None
        self._log = ContainerLog()
        self._record = BuildRecord(table, build_id, self._log)
        self._workspace = workspace(cloud, build_id)
        self._source = self._workspace / "src"
        self._failed = False
        self._spec: Buildspec
        self._variables: Variables
        self._shell: Shell | None = None
        self._python: Path | None = None

    def run(self) -> None:
        """Run the build to its end and clean up after it."""
        status = "FAULT"
        try:
            status = self._run_phases()
        except Exception:
            logger.exception("the build %s failed within the local cloud", self._build["id"])
        finally:
            self._finish(status)

    def _run_phases(self) -> str:
        phase = "PROVISIONING"
        try:
            with self._record.phase("PROVISIONING"):
                self._provision()
            phase = "DOWNLOAD_SOURCE"
            while phase != "FINALIZING":
                phase = self._run_phase(phase)
        except PhaseError:  # while provisioning
            return "FAILED"
        except BuildTimedOutError:
            return "TIMED_OUT"
        except BuildStoppedError:
            return "STOPPED"
        return "FAILED" if self._failed else "SUCCEEDED"

    def _run_phase(self, name: str) -> str:
        """Run a phase and say which one follows."""
        succeeded = True
        work = self._phase_work(name)
        on_failure = None if name in ("DOWNLOAD_SOURCE", "UPLOAD_ARTIFACTS") else self._commands_of(name).on_failure
        try:
            with self._record.phase(name) as phase:
                phase.message = work() or ""
                self._interruption.check()
        except PhaseError:
            succeeded = False
            self._failed = True
        if name == "UPLOAD_ARTIFACTS":
            return "FINALIZING"
        return next_phase(name, succeeded=succeeded, on_failure=on_failure)

    def _phase_work(self, name: str) -> Callable[[], str | None]:
        if name == "DOWNLOAD_SOURCE":
            return self._download_source
        if name == "UPLOAD_ARTIFACTS":
            return self._upload_artifacts
        return lambda: self._run_commands(name)

    def _commands_of(self, phase: str) -> Phase:
        return self._spec.phases.named(phase.lower())

    # PROVISIONING

    def _provision(self) -> None:
        self._credentials = self._role_environment()
        self._open_log()
        self._log.say("Running on the local cloud")
        shutil.rmtree(self._workspace, ignore_errors=True)
        self._workspace.parent.mkdir(parents=True, exist_ok=True)
        self._workspace.mkdir(mode=0o700)  # it holds the environment of the build's shell, with its credentials
        for name in ("home", "tmp", "control"):
            (self._workspace / name).mkdir()
        self._python = self._toolchain.take_python()

    def _open_log(self) -> None:
        logs = self._build["logs"]
        if logs["cloudWatchLogs"]["status"] != "ENABLED":
            return
        role = self._build["serviceRole"]
        try:
            self._stream = self._cloud.logs(logs["groupName"], logs["streamName"], role)
        except ClientError as error:
            raise PhaseError(
                "ACCESS_DENIED",
                f"Service role {role} does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams for "
                f"build {self._build['arn']}. Error message: {error.response['Error']['Message']}",
            ) from error
        self._log.write_to(self._stream)

    def _role_environment(self) -> dict[str, str]:
        """Variables with the credentials of the project's service role; they are hidden in the log."""
        role = self._build["serviceRole"]
        try:
            found = self._cloud.role_environment(role, f"AWSCodeBuild-{self._uuid}")
        except ServiceError as error:
            message = f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}"
            raise PhaseError("ACCESS_DENIED", message) from error  # AWS's words, the code is an assumption
        self._log.hide(self._secrets_of(found))
        return found

    def _secrets_of(self, credentials: dict[str, str]) -> list[str]:
        of_role = [credentials[name] for name in credentials if name.endswith(("_KEY_ID", "_ACCESS_KEY", "_TOKEN"))]
        return [*of_role, *self._toolchain.secrets()]

    def _client(self, service: str) -> Any:
        return self._cloud.client(service, self._build["serviceRole"])

    # DOWNLOAD_SOURCE

    def _download_source(self) -> None:
        self._log.say("Phase is DOWNLOAD_SOURCE")
        self._download_sources()
        self._spec = self._read_buildspec()
        self._log.say("Processing environment variables")
        self._variables = variables.resolve(
            self._spec.env, self._build["environment"].get("environmentVariables", []),
            self._client("ssm"), self._client("secretsmanager"),
        )  # fmt: skip
        self._log.hide([*self._secrets_of(self._credentials), *self._variables.secrets()])
        select_runtimes(
            self._spec.phases.install.runtime_versions, self._variables.values, self._toolchain.runtimes, self._log
        )
        if self._spec.cache.paths:
            self._log.say("The local cloud has no build cache; the section cache is not used")
        self._log.say(f"Moving to directory {self._source}")
        self._say_phases()
        self._shell = self._make_shell()

    def _say_phases(self) -> None:
        counts = {name: len(self._spec.phases.named(name).commands) for name in self._spec.phases.model_fields_set}
        self._log.say(f"Phases found in YAML: {len(counts)}")
        for name, count in counts.items():
            self._log.say(f" {name.upper()}: {count} commands")

    def _download_sources(self) -> None:
        build = self._build
        commit = self._download_one(build["source"], build.get("sourceVersion"), self._source, "primary source")
        if commit is not None:
            self._build = build = build | {"resolvedSourceVersion": commit}
            self._record.update(resolvedSourceVersion=commit)
        self._log.say(f"CODEBUILD_SRC_DIR={self._source}")
        versions = {v["sourceIdentifier"]: v["sourceVersion"] for v in build["secondarySourceVersions"]}
        for one in build["secondarySources"]:
            identifier = one["sourceIdentifier"]
            directory = self._secondary_directory(identifier)
            self._download_one(one, versions.get(identifier), directory, f"secondary source {identifier}")
            self._log.say(f"CODEBUILD_SRC_DIR_{identifier}={directory}")

    def _download_one(self, one: dict[str, Any], version: str | None, directory: Path, what: str) -> str | None:
        """Fetch a source; answers the commit when it is a repository."""
        if one["type"] == git_source.TYPE:
            directory.parent.mkdir(parents=True, exist_ok=True)
            return git_source.clone(self._cloud, self._build["serviceRole"], one, version, directory, what)
        source.download(self._client("s3"), one, version, directory, what)
        return None

    def _secondary_directory(self, identifier: str) -> Path:
        return self._workspace / "secondary" / identifier

    def _read_buildspec(self) -> Buildspec:
        given = self._build["source"].get("buildspec") or "buildspec.yml"
        try:
            return parse(self._buildspec_text(given))
        except BuildspecError as error:
            raise PhaseError("YAML_FILE_ERROR", str(error)) from error

    def _buildspec_text(self, given: str) -> str:
        """The buildspec itself when it is given as text (it then has several lines, or is JSON), or of a file."""
        if "\n" in given or given.lstrip().startswith("{"):
            self._log.say("YAML location is the project's definition")
            return given
        if given.startswith("arn:aws:s3:::"):
            bucket, _, key = given.removeprefix("arn:aws:s3:::").partition("/")
            return str(self._client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode())
        path = self._source / given
        self._log.say(f"YAML location is {path}")
        if not path.is_file():
            raise PhaseError("YAML_FILE_ERROR", f"stat {path}: no such file or directory")
        return path.read_text()

    def _make_shell(self) -> Shell:
        assert self._python is not None
        privileged = self._build["environment"].get("privilegedMode", False)
        environment = {
            **self._toolchain.environment(self._python, self._workspace / "home", privileged=privileged),
            **self._codebuild_variables(),
            **self._credentials,
            **self._variables.values,
        }
        return Shell(
            self._cloud.processes, program=_SHELLS[self._spec.env.shell], directory=self._workspace / "control",
            cwd=self._source, environment=environment, output=self._log.output, interruption=self._interruption,
            grace_seconds=_STOP_GRACE_SECONDS, stray_mark=stray_mark(self._build["id"]),
        )  # fmt: skip

    def _codebuild_variables(self) -> dict[str, str]:
        """https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html"""
        build = self._build
        start: datetime = build["startTime"]
        found = {
            "CODEBUILD_BUILD_ARN": build["arn"],
            "CODEBUILD_BUILD_ID": build["id"],
            "CODEBUILD_BUILD_IMAGE": build["environment"]["image"],
            "CODEBUILD_BUILD_NUMBER": str(build["buildNumber"]),
            "CODEBUILD_BUILD_SUCCEEDING": "1",
            "CODEBUILD_CI": "true",
            "CODEBUILD_INITIATOR": build["initiator"],
            "CODEBUILD_KMS_KEY_ID": build["encryptionKey"],
            "CODEBUILD_LOG_PATH": build["logs"].get("streamName", ""),
            "CODEBUILD_RESOLVED_SOURCE_VERSION": build.get("resolvedSourceVersion", ""),
            "CODEBUILD_SOURCE_REPO_URL": _repository_url(build["source"]),
            "CODEBUILD_SOURCE_VERSION": build.get("sourceVersion", ""),
            "CODEBUILD_SRC_DIR": str(self._source),
            "CODEBUILD_START_TIME": str(int(start.timestamp() * 1000)),
        }
        for one in build["secondarySources"]:
            identifier = one["sourceIdentifier"]
            found[f"CODEBUILD_SRC_DIR_{identifier}"] = str(self._secondary_directory(identifier))
        return found

    # INSTALL, PRE_BUILD, BUILD, POST_BUILD

    def _run_commands(self, phase: str) -> None:
        self._log.say(f"Entering phase {phase}")
        assert self._shell is not None
        if self._failed:
            self._shell.run("export CODEBUILD_BUILD_SUCCEEDING=0")
        commands = self._commands_of(phase)
        try:
            self._run_all(commands.commands)
        except PhaseError:
            self._run_all(commands.finally_)
            raise
        self._run_all(commands.finally_)

    def _run_all(self, commands: tuple[str, ...]) -> None:
        assert self._shell is not None
        for command in commands:
            shown = command.strip()
            self._log.say(f"Running command {shown}")
            status = self._shell.run(command)
            if status != 0:
                self._log.say(f"Command did not exit successfully {shown} exit status {status}")
                message = f"Error while executing command: {shown}. Reason: exit status {status}"
                raise PhaseError("COMMAND_EXECUTION_ERROR", message)

    # UPLOAD_ARTIFACTS

    def _upload_artifacts(self) -> str:
        """Reports, then artifacts. An artifact that the buildspec does not define fails the phase (an assumption)."""
        message = self._make_reports()
        wanted = self._spec.artifacts
        primary = self._build["artifacts"]
        if primary["type"] == "S3":
            if wanted is None or not wanted.files:
                raise PhaseError(
                    "CLIENT_ERROR", "the build has an output artifact, but the buildspec no artifacts section"
                )
            uploaded = self._upload(primary, wanted)
            self._record.update(artifacts=primary | uploaded)
        secondary = []
        for target in self._build["secondaryArtifacts"]:
            identifier = target["artifactIdentifier"]
            definition = (wanted.secondary_artifacts if wanted else {}).get(identifier)
            if definition is None:
                raise PhaseError("CLIENT_ERROR", f"no definition for secondary artifact {identifier} in the buildspec")
            secondary.append(target | self._upload(target, definition))
            self._record.update(secondaryArtifacts=secondary)
        return message

    def _upload(self, target: dict[str, Any], artifact: Artifact) -> dict[str, Any]:
        name = target.get("name") or self._build["projectName"]
        if target.get("overrideArtifactName") and artifact.name:
            name = self._evaluate(artifact.name)
        done = artifacts.upload(self._client("s3"), target, artifact, name, self._uuid, self._source, self._log)
        return {"location": done.location, "sha256sum": done.sha256sum}

    def _evaluate(self, name: str) -> str:
        """An artifact's name may use the shell's language: `model-$(date +%F)`."""
        assert self._shell is not None
        path = self._workspace / "control" / "artifact-name"
        status = self._shell.run(f'printf %s "{name}" >"{path}"')
        if status != 0:
            raise PhaseError("CLIENT_ERROR", f"the artifact's name {name} cannot be evaluated: exit status {status}")
        return path.read_text()

    def _make_reports(self) -> str:
        """Keep the reports; what is wrong with one is said and does not fail the build, as on AWS."""
        faults, arns = [], []
        for name, section in self._spec.reports.items():
            try:
                with self._cloud.acting_as_role(self._build["serviceRole"], f"AWSCodeBuild-{self._uuid}"):
                    arns.append(self._report_groups.add_report(self._build, name, section, self._source, self._log))
            except (ReportError, ServiceError) as error:
                faults.append(f"[{name}: [{error}]]")
        self._record.update(reportArns=arns)
        return f"Error in UPLOAD_ARTIFACTS phase: {' '.join(faults)}" if faults else ""

    # FINALIZING

    def _finish(self, status: str) -> None:
        try:
            with self._record.phase("FINALIZING"):
                self._close_shell()
        except Exception:
            logger.exception("the build %s could not be wrapped up", self._build["id"])
            status = "FAULT"
        finally:
            self._close_log()
            self._record.complete(status)
            self._clean_up()

    def _close_log(self) -> None:
        if self._stream is None:
            return
        try:
            self._stream.close()
        except ClientError as error:  # a build runs on without its log
            logger.warning("the log of %s lost lines: %s", self._build["id"], error)

    def _clean_up(self) -> None:
        shutil.rmtree(self._workspace, ignore_errors=True)
        self._toolchain.forget_bytecode(self._workspace)
        if self._python is not None:
            self._toolchain.return_python(self._python)

    def _close_shell(self) -> None:
        if self._shell is None:
            return
        environment = self._shell.environment()  # as the last command left it: the end of the shell may be in disorder
        self._shell.close()
        found = variables.exported(self._spec.env.exported_variables, environment, self._variables)
        self._record.update(exportedEnvironmentVariables=found)


def _repository_url(one: dict[str, Any]) -> str:
    location: str = one.get("location", "")
    return f"s3://{location}" if location and one["type"] == "S3" else location


def workspaces(cloud: Cloud) -> Path:
    """The folder of all builds' folders."""
    return cloud.state_dir / "codebuild" / "builds"


def workspace(cloud: Cloud, build_id: str) -> Path:
    """A build's folder; short, since sockets and `#!` lines in it have little room."""
    return workspaces(cloud) / build_id.rpartition(":")[2][:13]


def stray_mark(build_id: str) -> str:
    """The variable by which a build's processes are found."""
    return f"CODEBUILD_BUILD_ID={build_id}"
