"""A bare git repository, read and changed through git's own plumbing commands."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

COMMIT_ID = re.compile(r"[0-9a-f]{40}")

_CONFIG = {
    "http.receivepack": "true",  # anyone on this machine may push: the server listens on loopback only
    "receive.shallowUpdate": "true",
    "receive.autogc": "false",  # gc would run on detached, outliving the server
    "gc.auto": "0",
    "core.hooksPath": os.devnull,
    "core.logAllRefUpdates": "false",
    "uploadpack.allowFilter": "true",
}
# An archive is the tree as it is; the attributes of a pushed tree must not leave files out of it or change them.
_ATTRIBUTES = "* -export-ignore -export-subst -text\n"


class GitError(Exception):
    """git refused; the message is what it said."""


def environment() -> dict[str, str]:
    """git's environment without the settings of the person who runs the server."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_LITERAL_PATHSPECS": "1",  # a path that begins with a colon is a path
    }


@dataclass(frozen=True)
class TreeEntry:
    """A line of `git ls-tree`."""

    mode: str
    kind: str
    object_id: str
    path: str


@dataclass(frozen=True)
class Commit:
    """A commit object; people as in the object itself: name, e-mail address, time and zone."""

    commit_id: str
    tree_id: str
    parents: tuple[str, ...]
    author: tuple[str, str, str]
    committer: tuple[str, str, str]
    message: str


@dataclass(frozen=True)
class GitRepository:
    """A bare repository in `path`."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> "GitRepository":
        """Make an empty bare repository whose HEAD is `main`, without hooks."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".draft")
        shutil.rmtree(draft, ignore_errors=True)
        _git(["init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(draft)], draft.parent)
        with (draft / "config").open("a") as config:
            for name, value in _CONFIG.items():
                section, _, key = name.partition(".")
                config.write(f"[{section}]\n\t{key} = {value}\n")
        (draft / "info").mkdir(exist_ok=True)
        (draft / "info" / "attributes").write_text(_ATTRIBUTES)
        draft.rename(path)
        return cls(path)

    def run(self, *arguments: str, standard_input: bytes = b"", variables: Mapping[str, str] | None = None) -> bytes:
        """The standard output of a git command.

        Raises:
            GitError: git ended with an error.
        """
        return _git(list(arguments), self.path, standard_input, variables)

    def references(self) -> dict[str, str]:
        """Object ids by full name (`refs/heads/main`) of all branches and tags; an annotated tag's is its commit's."""
        listing = self.run(
            "for-each-ref", "--format=%(refname)%00%(objectname)%00%(*objectname)", "refs/heads", "refs/tags"
        ).decode()
        rows = (line.split("\0") for line in listing.splitlines())
        return {name: peeled or object_id for name, object_id, peeled in rows}

    def branches(self) -> dict[str, str]:
        """Commit ids by branch name."""
        prefix = "refs/heads/"
        return {name.removeprefix(prefix): c for name, c in self.references().items() if name.startswith(prefix)}

    def resolve_commit(self, specifier: str) -> str | None:
        """The commit that a commit id, branch, tag, full reference name or HEAD stands for; None when there is none."""
        try:
            found = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", specifier + "^{commit}")
        except GitError:
            return None
        return found.decode().strip()

    def commit(self, commit_id: str) -> Commit:
        """Read a commit that is known to exist."""
        form = "%H%x00%T%x00%P%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B"
        shown = self.run("show", "--no-patch", "--date=raw", f"--format={form}", commit_id).decode(errors="replace")
        fields = shown.split("\0", 9)
        return Commit(
            commit_id=fields[0], tree_id=fields[1], parents=tuple(fields[2].split()),
            author=(fields[3], fields[4], fields[5]), committer=(fields[6], fields[7], fields[8]),
            message=fields[9].removesuffix("\n"),
        )  # fmt: skip

    def tree(self, treeish: str, path: str = "", *, recursive: bool = False) -> list[TreeEntry]:
        """The entries of a folder (`path` ends with a slash), of one file, or of everything below."""
        options = ["-r"] if recursive else []
        arguments = [path] if path else []
        listing = self.run("ls-tree", "-z", "--full-tree", *options, treeish, "--", *arguments)
        return list(_tree_entries(listing.decode(errors="surrogateescape")))

    def blob(self, object_id: str) -> bytes:
        return self.run("cat-file", "blob", object_id)

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit that two commits have in common; None when there is none."""
        try:
            return self.run("merge-base", one, other).decode().strip()
        except GitError:
            return None

    def move_reference(self, name: str, new: str, old: str) -> None:
        """Point a reference to another commit; `old` is the one it must have now, "" when it must not exist.

        Raises:
            GitError: it has another one, or the name is malformed.
        """
        self.run("update-ref", name, new, old or "0" * 40)


def _git(
    arguments: list[str], cwd: Path, standard_input: bytes = b"", variables: Mapping[str, str] | None = None
) -> bytes:
    try:
        ended = subprocess.run(
            ["git", *arguments], cwd=cwd, env={**environment(), **(variables or {})}, input=standard_input,
            capture_output=True, check=False,
        )  # fmt: skip
    except ValueError as error:  # a null character, which no argument and no variable of a process can hold
        raise GitError(str(error)) from error
    if ended.returncode != 0:
        raise GitError(ended.stderr.decode(errors="replace").strip() or f"git {arguments[0]} ended {ended.returncode}")
    return ended.stdout


def _tree_entries(listing: str) -> Iterator[TreeEntry]:
    for line in listing.split("\0")[:-1]:
        facts, _, path = line.partition("\t")
        mode, kind, object_id = facts.split(" ")
        yield TreeEntry(mode, kind, object_id, path)
