"""report.md: the short form, for a comment on a pull request and for the terminal."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline_steps.documents import Estimate, SliceComparison
from pipeline_steps.report.evidence import ReportEvidence
from pipeline_steps.report.figures import Figure, figures, slices_in_order
from pipeline_steps.report.staging import staging_facts
from pipeline_steps.report.wording import confidence, count, difference, interval, printable, shortened

# CodeCommit, PostCommentForPullRequest: a comment has at most 10,240 characters.
# https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html
LONGEST_COMMENT = 10_240
_MOST_METRICS = 8
_MOST_SLICES = 10
_LONGEST_SENTENCE = 500
_LONGEST_NAME = 100
# What begins markup anywhere in a line; an underscore does so at the edge of a word alone.
_ANYWHERE = re.compile(r"[\\`*\[\]<>|&~#$!]|(?<![^\W_])_|_(?![^\W_])")
_ENDS_ADDRESS = re.compile(r"[^!-;=?-~]|\\")  # angle brackets, spaces, a backslash, what is not ASCII
_AT_THE_START = re.compile(r"^(\d+)([.)])|^([-+=])")


@dataclass
class _Part:
    """A list of lines, of which the last are left out first.

    Attributes:
        shown: how many of the items are there.
    """

    head: tuple[str, ...]
    items: tuple[str, ...]
    noun: str
    shown: int

    def lines(self, all_is_in: str) -> list[str]:
        """The part, with a line that says how many items are not in it; nothing when there is no item at all."""
        if not self.items:
            return []
        left_out = len(self.items) - self.shown
        said = [f"{count(left_out, self.noun)} not shown here: {all_is_in} has all.", ""] if left_out else []
        return [*self.head, *self.items[: self.shown], "", *said] if self.shown else said


def render_markdown(
    evidence: ReportEvidence,
    longest: int = LONGEST_COMMENT,
    *,
    title: str | None = None,
    all_is_in: str = "the report",
) -> str:
    """The verdict with its reasons, the metrics, the slices that failed, and where to read on.

    Args:
        longest: number of characters that the text never exceeds. What does not fit is left out from the end of the
            least important part on, and named.
        title: the first line, in place of verdict and project.
        all_is_in: what has the items that are left out.
    """
    reasons, notes = _sentences(evidence.decision.reasons, "reason"), _sentences(evidence.decision.notes, "note")
    metrics, slices, staging = _metrics(evidence), _slices(evidence), _staging(evidence)
    # From the least important on: a part, and how many of its items stay for now.
    order = (
        (notes, 0), (metrics, 4), (slices, 3), (reasons, 3), (staging, 1), (metrics, 1), (slices, 0), (metrics, 0),
        (staging, 0), (reasons, 1),
    )  # fmt: skip
    while True:
        parts = [line for part in (reasons, metrics, slices, staging, notes) for line in part.lines(all_is_in)]
        text = "\n".join([*_title(evidence, title), *parts, *_links(evidence)]).rstrip() + "\n"
        droppable = next((part for part, stay in order if part.shown > stay), None)
        if len(text) <= longest or droppable is None:
            return shortened(text, longest)
        droppable.shown -= 1


def escaped(text: str, longest: int = _LONGEST_NAME) -> str:
    """Text of others that markdown shows as it is, in one line."""
    line = shortened(" ".join(printable(text).split()), longest)
    line = _ANYWHERE.sub(lambda mark: f"\\{mark[0]}", line)
    return _AT_THE_START.sub(lambda mark: f"{mark[1]}\\{mark[2]}" if mark[1] else f"\\{mark[3]}", line)


def _title(evidence: ReportEvidence, title: str | None) -> list[str]:
    commit, execution = escaped(evidence.facts.commit_id[:12]), escaped(evidence.facts.execution_id[:8])
    beside = "no champion to compare with"
    if evidence.champion is not None:
        beside = f"beside {escaped(evidence.champion_name)}"
        if evidence.champion.failure is not None:
            beside += f", which could not be scored: {escaped(evidence.champion.failure, _LONGEST_SENTENCE)}"
    about = f"Commit {commit}, execution {execution}, {count(evidence.comparison.records, 'holdout record')}; {beside}."
    return [title or f"# {evidence.decision.verdict}: {escaped(evidence.facts.project)}", "", about, ""]


def _sentences(texts: Sequence[str], noun: str) -> _Part:
    items = tuple(f"- {escaped(text, _LONGEST_SENTENCE)}" for text in texts)
    head = ("Notes:", "") if noun == "note" else ()
    return _Part(head, items, noun, shown=len(items))


def _metrics(evidence: ReportEvidence) -> _Part:
    level = confidence(evidence.comparison.confidence)
    head = (
        f"| metric ({level} interval) | challenger | champion | difference | |",
        "| --- | ---: | ---: | ---: | --- |",
    )
    items = tuple(_metric_row(one) for one in figures(evidence))
    return _Part(head, items, "metric", shown=min(len(items), _MOST_METRICS))


def _metric_row(figure: Figure) -> str:
    metric = figure.comparison
    ends = None if metric.difference is None else interval(metric.difference, beside=metric.challenger.value, sign=True)
    gap = figure.difference if ends is None else f"{figure.difference} ({ends})"
    limit = "" if figure.keeps_limit is None else f"{figure.limit}: {'kept' if figure.keeps_limit else 'not kept'}"
    meaning = ", ".join(text for text in (figure.outcome, limit) if text)
    challenger = _with_interval(figure.challenger, metric.challenger)
    champion = _with_interval(figure.champion, metric.champion)
    return f"| {escaped(metric.name)} | {challenger} | {champion} | {gap} | {meaning} |"


def _with_interval(text: str, estimate: Estimate | None) -> str:
    ends = None if estimate is None else interval(estimate)
    return text if ends is None else f"{text} ({ends})"


def _slices(evidence: ReportEvidence) -> _Part:
    failed = tuple(one for one in slices_in_order(evidence) if one.verdict == "failed")
    judged = count(len(evidence.comparison.slices), "slice")
    head = (f"{len(failed)} of {judged} failed; {evidence.policy.slices.may_fail} may:", "")
    return _Part(head, tuple(_slice_line(one) for one in failed), "failed slice", shown=min(len(failed), _MOST_SLICES))


def _slice_line(one: SliceComparison) -> str:
    gap = "" if one.difference is None else f": {difference(one.difference, one.challenger.value)}"
    ends = None if one.difference is None else interval(one.difference, beside=one.challenger.value, sign=True)
    within = "" if ends is None else f" ({ends})"
    return f"- {escaped(f'{one.column}: {one.name}')}{gap}{within}, {count(one.records, 'record')}"


def _staging(evidence: ReportEvidence) -> _Part:
    found = evidence.verification
    facts = () if found is None else staging_facts(found)
    items = [f"- {name}: {escaped(text, _LONGEST_SENTENCE)}" for name, text in facts]
    if found is not None and found.failure is not None:
        items.insert(0, f"- **failed**: {escaped(found.failure, _LONGEST_SENTENCE)}")
    return _Part(("On staging:", ""), tuple(items), "finding", shown=len(items))


def _links(evidence: ReportEvidence) -> list[str]:
    links = evidence.secure_links.items()
    lines = [f"- [{escaped(label)}](<{_ENDS_ADDRESS.sub('', url)}>)" for label, url in links]
    return ["Read on:", "", *lines] if lines else []
