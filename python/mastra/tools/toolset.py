"""Toolsets: several tools as one thing, to filter, prefix, rename and guard; and a registry with versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mastra.errors import BadDefinition, NotFound, near_miss
from mastra.tools.tool import Approval, Tool, as_tools


class Toolset:
    """Tools by name. Each method returns a new set; the tools themselves never change."""

    __slots__ = ("tools",)

    def __init__(self, tools: Any = ()) -> None:
        self.tools: dict[str, Tool] = as_tools(tools)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools.values())

    def __len__(self) -> int:
        return len(self.tools)

    def __add__(self, other: Any) -> Toolset:
        more = as_tools(other)
        twice = self.tools.keys() & more.keys()
        if twice:
            raise BadDefinition(f"Both have a tool {min(twice)!r}.", hint="Use prefix() or rename().")
        return Toolset({**self.tools, **more})

    def only(self, *names: str) -> Toolset:
        """These tools and no others."""
        for name in names:
            if name not in self.tools:
                raise NotFound(f"There is no tool {name!r}.", hint=near_miss(name, self.tools))
        return Toolset({name: self.tools[name] for name in names})

    def without(self, *names: str) -> Toolset:
        """All but these."""
        return Toolset({name: tool for name, tool in self.tools.items() if name not in names})

    def filter(self, keep: Callable[[Tool], bool]) -> Toolset:
        """The tools for which `keep` is true."""
        return Toolset({name: tool for name, tool in self.tools.items() if keep(tool)})

    def prefix(self, text: str) -> Toolset:
        """The same tools with a text before their names."""
        return Toolset({f"{text}{name}": tool for name, tool in self.tools.items()})

    def rename(self, names: Mapping[str, str]) -> Toolset:
        """The same tools, some under other names: {old: new}."""
        unknown = names.keys() - self.tools.keys()
        if unknown:
            raise NotFound(f"There is no tool {min(unknown)!r}.", hint=near_miss(min(unknown), self.tools))
        return Toolset({names.get(name, name): tool for name, tool in self.tools.items()})

    def approve(self, rule: Approval = True) -> Toolset:  # noqa: FBT002 - the plain case reads best without a name
        """The same tools, all of which need approval."""
        return Toolset({name: tool.but(require_approval=rule) for name, tool in self.tools.items()})


class ToolRegistry:
    """Tools by id and version, to share between agents. The newest version is meant unless one is named."""

    def __init__(self, tools: Iterable[Any] = ()) -> None:
        self._versions: dict[str, dict[str, Tool]] = {}
        for tool in as_tools(tools).values():
            self.add(tool)

    def add(self, tool: Any) -> Tool:
        """Register a tool; the same version twice is refused. Usable as a decorator above `@tool`."""
        made = next(iter(as_tools((tool,)).values()))
        versions = self._versions.setdefault(made.id, {})
        if made.version in versions:
            raise BadDefinition(f"Tool {made.id!r} has a version {made.version or '(none)'!r} already.")
        versions[made.version] = made
        return made

    def get(self, id: str, version: str | None = None) -> Tool:
        """A tool; its newest version when none is named."""
        versions = self._versions.get(id)
        if not versions:
            raise NotFound(f"There is no tool {id!r}.", hint=near_miss(id, self._versions))
        if version is None:
            return versions[max(versions, key=_ordered)]
        if version not in versions:
            raise NotFound(f"Tool {id!r} has no version {version!r}.", hint=f"Known: {', '.join(versions)}.")
        return versions[version]

    def versions(self, id: str) -> list[str]:
        """The versions of a tool, oldest first."""
        return sorted(self._versions.get(id, ()), key=_ordered)

    @property
    def tools(self) -> dict[str, Tool]:
        """The newest version of each tool; a registry is accepted wherever tools are."""
        return {name: self.get(name) for name in self._versions}

    def discover(self, module: Any) -> list[Tool]:
        """Register every tool that a module defines."""
        found = {value.id: value for value in vars(module).values() if isinstance(value, Tool)}
        return [self.add(tool) for tool in found.values()]


def _ordered(version: str) -> tuple[tuple[int, Any], ...]:
    return tuple((1, int(one)) if one.isdigit() else (0, one) for one in version.split("."))
