"""What of CodeBuild's requests would change a build on AWS and does nothing here: it is refused."""

_PROJECT = (
    "fileSystemLocations", "buildBatchConfig", "concurrentBuildLimit", "autoRetryLimit", "badgeEnabled",
    "environment.fleet", "environment.computeConfiguration", "environment.certificate",
    "environment.registryCredential", "environment.dockerServer", "environment.hostKernel",
    "environment.type=WINDOWS_CONTAINER", "environment.type=WINDOWS_SERVER_2019_CONTAINER",
    "environment.type=WINDOWS_SERVER_2022_CONTAINER", "environment.type=WINDOWS_EC2", "environment.type=MAC_ARM",
    "logsConfig.s3Logs.status=ENABLED", "source.gitSubmodulesConfig.fetchSubmodules",
    "secondarySources.gitSubmodulesConfig.fetchSubmodules",
)  # fmt: skip

NOT_SERVED = {
    "CreateProject": _PROJECT,
    "UpdateProject": _PROJECT,
    "StartBuild": (
        "sourceAuthOverride", "gitCloneDepthOverride", "gitSubmodulesConfigOverride", "insecureSslOverride",
        "reportBuildStatusOverride", "buildStatusConfigOverride", "certificateOverride", "registryCredentialOverride",
        "imagePullCredentialsTypeOverride", "debugSessionEnabled", "fleetOverride", "autoRetryLimitOverride",
        "hostKernelOverride", "logsConfigOverride.s3Logs.status=ENABLED",
        "environmentTypeOverride=WINDOWS_CONTAINER", "environmentTypeOverride=WINDOWS_SERVER_2019_CONTAINER",
        "environmentTypeOverride=WINDOWS_SERVER_2022_CONTAINER", "environmentTypeOverride=WINDOWS_EC2",
        "environmentTypeOverride=MAC_ARM",
    ),
    "CreateReportGroup": ("exportConfig.exportConfigType=S3",),
    "UpdateReportGroup": ("exportConfig.exportConfigType=S3",),
}  # fmt: skip
