"""What of SageMaker's requests does something on AWS and nothing here: it is refused."""

_DATA = "InputDataConfig.DataSource.S3DataSource"
_CONTAINER = (
    "ImageConfig.RepositoryAccessMode=Vpc", "AdditionalModelDataSources", "InferenceSpecificationName",
    "MultiModelConfig", "ContainerMetricsConfig", "ModelDataSource.S3DataSource.HubAccessConfig",
    "ModelDataSource.S3DataSource.ManifestS3Uri", "ModelDataSource.S3DataSource.ETag",
    "ModelDataSource.S3DataSource.ManifestEtag",
)  # fmt: skip
_VARIANT = (
    "InstancePools", "VariantInstanceProvisionTimeoutInSeconds", "AcceleratorType", "CoreDumpConfig",
    "EnableSSMAccess", "ManagedInstanceScaling", "CapacityReservationConfig",
    "RoutingConfig.PrefixAwareRoutingConfig",
)  # fmt: skip

NOT_SERVED = {
    "CreateTrainingJob": (
        "AlgorithmSpecification.AlgorithmName", "AlgorithmSpecification.TrainingImageConfig", "CheckpointConfig",
        "DebugHookConfig", "DebugRuleConfigurations", "ExperimentConfig", "InfraCheckConfig.EnableInfraCheck",
        f"{_DATA}.AttributeNames", f"{_DATA}.HubAccessConfig", f"{_DATA}.InstanceGroupNames",
        "InputDataConfig.RecordWrapperType=RecordIO", "InputDataConfig.ShuffleConfig", "MlflowConfig",
        "ModelPackageConfig", "ProfilerConfig.ProfilingParameters", "ProfilerConfig.S3OutputPath",
        "ProfilerRuleConfigurations", "RemoteDebugConfig.EnableRemoteDebug", "ResourceConfig.InstanceGroups",
        "ResourceConfig.InstancePlacementConfig", "ResourceConfig.InstancePreferences",
        "ResourceConfig.KeepAlivePeriodInSeconds", "ResourceConfig.TrainingPlanArn", "RetryStrategy",
        "ServerlessJobConfig", "SessionChainingConfig.EnableSessionTagChaining",
        "StoppingCondition.MaxPendingTimeInSeconds", "TensorBoardOutputConfig",
    ),
    "CreateProcessingJob": (
        "ExperimentConfig", "ProcessingInputs.DatasetDefinition", "ProcessingOutputConfig.Outputs.FeatureStoreOutput",
        "ProcessingResources.ClusterConfig.InstancePreferences",
    ),
    "CreateModel": (
        *(f"{where}.{member}" for where in ("PrimaryContainer", "Containers") for member in _CONTAINER),
        "InferenceExecutionConfig",
    ),
    "CreateModelPackage": (
        "CertifyForMarketplace", "ManagedStorageType", "SourceAlgorithmSpecification", "ValidationSpecification",
    ),
    "CreateModelPackageGroup": ("ManagedConfiguration",),
    "CreateEndpointConfig": (
        "AsyncInferenceConfig", "EnableNetworkIsolation", "ExecutionRoleArn", "ExplainerConfig", "VpcConfig",
        *(f"{where}.{member}" for where in ("ProductionVariants", "ShadowProductionVariants") for member in _VARIANT),
        "ProductionVariants.ServerlessConfig.ProvisionedConcurrency", "ShadowProductionVariants.ServerlessConfig",
    ),
    "UpdateEndpointWeightsAndCapacities": ("DesiredWeightsAndCapacities.ServerlessUpdateConfig",),
    "DescribeModelPackage": ("IncludedData=MetadataOnly",),
    "ListModelPackageGroups": ("CrossAccountFilterOption=CrossAccount",),
    "ListTrainingJobs": ("TrainingPlanArnEquals", "WarmPoolStatusEquals"),
}  # fmt: skip
