"""One cloud with a role, a bucket and an image, for all SageMaker tests of the session."""

import pytest
from local_cloud_sagemaker import SageMakerCloud
from local_cloud_server import CloudServer


@pytest.fixture(scope="session")
def sagemaker(cloud_server: CloudServer, tmp_path_factory: pytest.TempPathFactory) -> SageMakerCloud:
    return SageMakerCloud.make(cloud_server, tmp_path_factory.mktemp("sagemaker"))
