"""What an observation does beside its notes: named facts, a title, the page of working memory, hooks."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mastra.errors import MastraError
from mastra.memory.observation_options import ObservationalMemory
from mastra.memory.threads import ThreadRepo
from mastra.memory.working import WorkingPages

log = logging.getLogger("mastra.memory")
MAX_FACT, MAX_TITLE = 2_000, 200
TITLE = "thread title"
EXTRACT = (
    " Then, for each of these names of which the messages say something new, one line `@name: value`, with all that "
    "holds now as the value: "
)
PAGE = (
    " Then, when the messages say something new that belongs into the working memory below, the whole of it anew "
    "between <working_memory> and </working_memory>, in the form that it has."
)
_PAGE = re.compile(r"<working_memory>\s*(.*?)\s*</working_memory>", re.DOTALL)


class Seen(NamedTuple):
    """An observer's answer, taken apart."""

    notes: str
    extracted: dict[str, str]
    title: str | None = None
    page: str | None = None


def asked_beside(options: ObservationalMemory) -> str:
    """What the observer is asked for beside the notes."""
    names = [*options.extract, *([TITLE] if options.thread_title else ())]
    told = EXTRACT + ", ".join(names) + "." if names else ""
    return told + (PAGE if options.manage_working_memory else "")


def taken_apart(answer: str, options: ObservationalMemory) -> Seen:
    """The notes of an answer, and what it names; a line for a name that nobody asked for stays a note."""
    page: str | None = None
    if options.manage_working_memory:
        found = _PAGE.search(answer)
        page = found[1] if found and found[1] else None
        answer = _PAGE.sub("", answer)
    notes: list[str] = []
    extracted: dict[str, str] = {}
    by_name = {name.casefold(): name for name in [*options.extract, *([TITLE] if options.thread_title else ())]}
    for line in answer.splitlines():
        name, colon, value = line.removeprefix("@").partition(":")
        known = by_name.get(name.strip().casefold()) if line.startswith("@") and colon else None
        if known is None:
            notes.append(line)
        elif value.strip():
            extracted[known] = value.strip()[:MAX_FACT]
    title = extracted.pop(TITLE, None) if options.thread_title else None
    return Seen("\n".join(notes).strip(), extracted, title, page)


async def apply(
    seen: Seen, threads: ThreadRepo, pages: WorkingPages | None, thread_id: str, resource_id: str | None
) -> None:
    """Give the thread its title and write the page; what cannot be is logged, and the notes stand all the same."""
    try:
        if seen.title:
            await threads.update(thread_id, resource_id=resource_id, title=seen.title[:MAX_TITLE])
        if seen.page and pages is not None:
            await pages.write(thread_id, resource_id, seen.page)
    except MastraError as error:
        log.warning("what an observation of %s says beside its notes was not kept: %s", thread_id, error)


async def tell(hooks: Mapping[str, Callable[..., Any]], name: str, **facts: Any) -> None:
    """Call a hook, if there is one; its failure is logged and changes nothing."""
    hook = hooks.get(name)
    if hook is None:
        return
    try:
        done = hook(facts)
        if inspect.isawaitable(done):
            await done
    except Exception:  # somebody else's code must not undo what was observed
        log.exception("the hook %s failed", name)
