"""Variables in the configuration of actions."""

import json

import pytest

from local_cloud.codepipeline.variables import UnresolvedVariablesError, references, resolve

SCOPE = {
    "Source": {"CommitId": "abc", "CommitMessage": 'fix "late"\nand more'},
    "variables": {"Version": "7"},
    "codepipeline": {"PipelineExecutionId": "e-1"},
}


def test_variables_are_replaced_wherever_they_stand() -> None:
    resolved = resolve({"CustomData": "v#{variables.Version} of #{Source.CommitId}, #{Source.CommitId}"}, SCOPE)

    assert resolved == {"CustomData": "v7 of abc, abc"}


def test_text_without_variables_stays_as_it_is() -> None:
    text = '{"a":  1, "b": "#{not a variable} ${HOME} #{}"}'

    assert resolve({"Key": text}, SCOPE) == {"Key": text}


def test_a_value_with_quotes_and_lines_cannot_break_json() -> None:
    text = '[{"name": "MESSAGE", "value": "said: #{Source.CommitMessage}", "type": "PLAINTEXT"}]'

    resolved = resolve({"EnvironmentVariables": text}, SCOPE)["EnvironmentVariables"]

    assert json.loads(resolved) == [{"name": "MESSAGE", "value": 'said: fix "late"\nand more', "type": "PLAINTEXT"}]


def test_a_value_is_not_resolved_again() -> None:
    scope = {"A": {"x": "#{B.y}"}, "B": {"y": "secret"}}

    assert resolve({"Key": "#{A.x}"}, scope) == {"Key": "#{B.y}"}


def test_every_variable_without_a_value_is_named_once() -> None:
    configuration = {
        "One": "#{Source.Colour} #{Source.Colour}",
        "Two": '{"P": "#{Nowhere.X}"}',
        "Three": "#{Source.CommitId}",
    }

    with pytest.raises(UnresolvedVariablesError) as caught:
        resolve(configuration, SCOPE)

    assert caught.value.references == ["#{Source.Colour}", "#{Nowhere.X}"]


def test_an_empty_value_is_a_value() -> None:
    assert resolve({"Key": "[#{A.x}]"}, {"A": {"x": ""}}) == {"Key": "[]"}


def test_references_are_found_with_namespace_and_key() -> None:
    assert list(references("#{A.b} and #{c-d.E_1}")) == [("A", "b"), ("c-d", "E_1")]
