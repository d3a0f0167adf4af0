"""The page on releases shows settings as they are, and names alarms as they are called."""

import re
import textwrap
from pathlib import Path

import yaml

import settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/release.md").read_text(encoding="utf-8")


def test_the_example_on_the_page_is_the_one_in_slipway_yaml() -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    example = yaml.safe_load((ROOT / "slipway.yaml").read_text(encoding="utf-8"))

    assert yaml.safe_load(shown) == {key: example[key] for key in ("endpoints", "release")}


def test_every_strategy_has_a_line_on_the_page() -> None:
    assert re.findall(r"^\| `(\w+)` \| .* \| (?:yes|no) \|$", PAGE, re.MULTILINE) == list(settings.STRATEGIES)


def test_every_alarm_has_a_line_on_the_page() -> None:
    assert re.findall(r"^\| `(-[a-z-]+)` \|", PAGE, re.MULTILINE) == ["-server-errors", "-refused", "-latency"]


def test_the_longest_wait_on_the_page_is_the_one_that_the_settings_allow() -> None:
    release = settings.Release(strategy="linear", step_percent=10, step_seconds=2600, termination_wait_seconds=3600)

    assert f"{release.waiting_seconds('linear'):,} seconds" in PAGE
    assert release.faults("linear", settings.Endpoint(instance_type="ml.m5.large", instance_count=2)) == []


def test_the_serverless_settings_on_the_page_are_accepted() -> None:
    (shown,) = re.findall(r"### Without instances\n\n((?:    .*\n)+)", PAGE)
    example = yaml.safe_load((ROOT / "slipway.yaml").read_text(encoding="utf-8"))
    given = yaml.safe_load(textwrap.dedent(shown))
    document = {key: value for key, value in example.items() if key != "local"}
    for section, values in given.items():
        document[section] = {**example[section], **values}

    read = settings.Settings.model_validate(document)

    assert all(isinstance(one, settings.ServerlessEndpoint) for one in read.endpoints.of_environments().values())
