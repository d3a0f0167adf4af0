"""Reads a Dockerfile into its instructions, each with its line, and tells what of it is not served."""

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from dockerfile_parse import DockerfileParser
from dockerfile_parse.util import WordSplitter, extract_key_values

SERVED = ("FROM", "ARG", "ENV", "LABEL", "WORKDIR", "COPY", "RUN", "EXPOSE", "USER", "ENTRYPOINT", "CMD")

_SUBSTITUTION_WITH_DEFAULT = re.compile(r"\$\{\w+[^\w}]")
_WAY_OUT = {
    "ADD": "use COPY: a download or an archive belongs into the context or into a requirement",
    "MAINTAINER": "use LABEL maintainer=...",
    "HEALTHCHECK": "leave it out: SageMaker asks /ping itself",
    "VOLUME": "leave it out: SageMaker mounts /opt/ml itself",
}


class InstructionError(Exception):
    """One instruction is wrong or not served; the message says why and what to do."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile.

    Attributes:
        keyword: in upper case.
        value: what follows the keyword, with continued lines joined.
        line: number of its first line, from 1.
    """

    keyword: str
    value: str
    line: int

    def __str__(self) -> str:
        return f"{self.keyword} {' '.join(self.value.split())}"

    def words(self, variables: Mapping[str, str]) -> list[str]:
        """The value's words, quotes removed and variables substituted; in JSON form when it is a JSON list."""
        self._check_substitutions()
        if self.value.startswith("["):
            return [WordSplitter(word, envs=dict(variables)).dequote() for word in self.exec_form()]
        return list(WordSplitter(self.value, envs=dict(variables)).split())

    def pairs(self, variables: Mapping[str, str]) -> list[tuple[str, str]]:
        """The value as key and value pairs (ENV, LABEL, ARG)."""
        self._check_substitutions()
        try:
            return [(key, value) for key, value in extract_key_values(True, {}, dict(variables), self.value)]
        except ValueError as error:
            raise InstructionError(str(error)) from error

    def command(self) -> list[str]:
        """The value as a command: its JSON list, or the text for a shell, as ENTRYPOINT and CMD have it."""
        return self.exec_form() if self.value.startswith("[") else ["/bin/sh", "-c", self.value]

    def exec_form(self) -> list[str]:
        """The value as a JSON list of strings."""
        try:
            words = json.loads(self.value)
        except json.JSONDecodeError as error:
            raise InstructionError(f"not a JSON list of strings ({error})") from error
        if not all(isinstance(word, str) for word in words):
            raise InstructionError("not a JSON list of strings")
        return [str(word) for word in words]

    def _check_substitutions(self) -> None:
        if match := _SUBSTITUTION_WITH_DEFAULT.search(self.value):
            raise InstructionError(
                f"`{match[0]}...}}`: only $NAME and ${{NAME}} are understood; give a default with ARG NAME=value"
            )


def read_dockerfile(text: str) -> tuple[list[Instruction], list[str]]:
    """Read a Dockerfile.

    Returns:
        Its instructions, and the faults that can be told without building: unknown instructions, unfinished lines.
    """
    structure = DockerfileParser(fileobj=io.BytesIO(text.encode())).structure
    instructions, faults, read = [], [], set()
    for item in structure:
        read |= set(range(item["startline"], item["endline"] + 1))
        if item["instruction"] == "COMMENT":
            continue
        instruction = Instruction(item["instruction"], item["value"].strip(), item["startline"] + 1)
        if instruction.keyword not in SERVED:
            faults.append(fault_at(instruction, _not_served(instruction.keyword)))
        elif not instruction.value:
            faults.append(fault_at(instruction, "no complete instruction"))
        else:
            instructions.append(instruction)
    # the parser skips what it cannot read, such as a last line that ends with a continuation
    for number, line in enumerate(text.splitlines()):
        if line.strip() and number not in read:
            faults.append(f"line {number + 1}: {line.strip()}: no complete instruction")
    return instructions, faults


def fault_at(instruction: Instruction, reason: str) -> str:
    """A fault's text: the line, the instruction (shortened) and the reason."""
    text = str(instruction)
    return f"line {instruction.line}: {text if len(text) <= 100 else text[:99] + '…'}: {reason}"


def _not_served(keyword: str) -> str:
    way_out = _WAY_OUT.get(keyword)
    return f"{keyword} is not served" + (f"; {way_out}" if way_out else f"; served are {', '.join(SERVED)}")
