"""Memory: threads, messages, working memory and search. Every call carries the owner that the token names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mastra.errors import AccessDenied, BadDefinition, InvalidInput, NotFound
from mastra.memory.memory import Memory
from mastra.server.problems import Refused

if TYPE_CHECKING:
    from mastra.server.call import Call

PRIVILEGED = "Thread transfer requires a privileged (non-resource-scoped) context"
PER_PAGE = 100
MESSAGES_PER_PAGE = 40
MAX_PER_PAGE = 1_000


async def _memory(call: Call) -> Memory:
    """The memory that is meant: that of the agent, else the application's, else one over its storage."""
    agent_id = call.query.get("agentId") or (call.body or {}).get("agentId")
    if agent_id:
        agent = call.mastra.get_agent(agent_id)
        memory = (await agent.plan(call.context)).memory
        if isinstance(memory, Memory):
            return memory
    return call.state.memory


def _paging(call: Call, default: int) -> dict[str, Any]:
    query = call.query
    per_page = query.get("perPage")
    if per_page is not None and not 1 <= per_page <= MAX_PER_PAGE:
        raise InvalidInput(f"perPage is from 1 to {MAX_PER_PAGE}.")
    return {"page": query.get("page") or 0, "per_page": per_page or default}


async def status(call: Call) -> dict[str, Any]:
    """Whether an agent has memory."""
    agent = call.mastra.get_agent(call.query["agentId"])
    has = (await agent.plan(call.context)).memory is not None
    return {"result": has, "memoryType": "local"} if has else {"result": False}


async def config(call: Call) -> dict[str, Any]:
    """How the memory of an agent is set up."""
    agent = call.mastra.get_agent(call.query["agentId"])
    memory = (await agent.plan(call.context)).memory
    return {"config": None if memory is None else memory.to_wire()}


async def list_threads(call: Call) -> dict[str, Any]:
    """Threads in pages; somebody else's are simply not there."""
    query, memory = call.query, await _memory(call)
    order = query.get("orderBy") or {}
    page = await memory.list_threads(
        resource_id=call.owner(query.get("resourceId")),
        metadata=query.get("metadata"),
        order_by=order.get("field") or "createdAt",
        direction=order.get("direction") or "DESC",
        **_paging(call, PER_PAGE),
    )
    return page.to_wire()


async def create_thread(call: Call) -> dict[str, Any]:
    """A new thread; its owner is the caller's resource."""
    body, memory = call.body, await _memory(call)
    thread = await memory.create_thread(
        resource_id=call.owner(body["resourceId"]) or body["resourceId"],
        thread_id=body.get("threadId"),
        title=body.get("title") or "",
        metadata=body.get("metadata"),
    )
    return _thread(thread.to_wire(), made=True)


def _thread(wire: dict[str, Any], *, made: bool = False) -> dict[str, Any]:
    # A thread without metadata is made without the key, and listed with a null.
    if made and wire.get("metadata") is None:
        wire.pop("metadata", None)
    return wire


async def get_thread(call: Call) -> dict[str, Any]:
    """One thread."""
    memory = await _memory(call)
    owner = call.bound or call.query.get("resourceId")
    thread = await memory.get_thread(call.params["threadId"], resource_id=owner)
    if thread is None:
        raise NotFound("Thread not found")
    return thread.to_wire()


async def update_thread(call: Call) -> dict[str, Any]:
    """Change title and metadata."""
    body, memory = call.body, await _memory(call)
    thread = await memory.update_thread(
        call.params["threadId"],
        resource_id=call.bound,
        title=body.get("title"),
        metadata=body.get("metadata"),
    )
    return thread.to_wire()


async def delete_thread(call: Call) -> dict[str, str]:
    """Remove a thread with all that belongs to it."""
    memory = await _memory(call)
    await memory.delete_thread(call.params["threadId"], resource_id=call.bound or call.query.get("resourceId"))
    return {"result": "Thread deleted"}


async def clone_thread(call: Call) -> dict[str, Any]:
    """A copy of a thread, whole or in part."""
    body, memory = call.body, await _memory(call)
    options = body.get("options") or {}
    wanted = options.get("messageFilter") or {}
    limit = options.get("messageLimit")
    clone = await memory.clone_thread(
        call.params["threadId"],
        resource_id=call.bound,
        new_thread_id=body.get("newThreadId"),
        to_resource_id=call.owner(body.get("resourceId")),
        title=body.get("title"),
        metadata=body.get("metadata"),
        message_limit=None if limit is None else int(limit),
        message_ids=wanted.get("messageIds"),
        start=wanted.get("startDate"),
        end=wanted.get("endDate"),
    )
    return clone.to_wire()


async def transfer_thread(call: Call) -> dict[str, Any]:
    """Give a thread to another resource; only who is bound to none may."""
    if call.bound is not None:
        raise AccessDenied(PRIVILEGED)
    memory = await _memory(call)
    thread = await memory.transfer_thread(call.params["threadId"], call.body["resourceId"])
    return thread.to_wire()


# ---------------------------------------------------------------- messages


async def list_messages(call: Call) -> dict[str, Any]:
    """Messages of a thread in pages."""
    query, memory = call.query, await _memory(call)
    dates = (query.get("filter") or {}).get("dateRange") or {}
    page = await memory.list_messages(
        call.params["threadId"],
        resource_id=call.bound or query.get("resourceId"),
        direction=(query.get("orderBy") or {}).get("direction") or "ASC",
        start=dates.get("start"),
        end=dates.get("end"),
        include=query.get("include") or (),
        **_paging(call, MESSAGES_PER_PAGE),
    )
    return {**page.to_wire(), "uiMessages": None}


async def save_messages(call: Call) -> dict[str, Any]:
    """Keep messages that a client made."""
    memory = await _memory(call)
    given = call.body["messages"]
    bound = call.bound
    if bound is not None:
        given = [{**one, "resourceId": bound} if isinstance(one, dict) else one for one in given]
    saved = await memory.save_messages(given, resource_id=bound)
    kinds = {one.get("id"): one["type"] for one in given if isinstance(one, dict) and "type" in one}
    out = []
    for message in saved:
        wire = message.to_wire()
        out.append({**wire, "type": kinds[message.id]} if message.id in kinds else wire)
    return {"messages": out}


async def delete_messages(call: Call) -> dict[str, Any]:
    """Remove messages by their ids."""
    memory = await _memory(call)
    given = call.body["messageIds"]
    listed = given if isinstance(given, list) else [given]
    ids = [one["id"] if isinstance(one, dict) else one for one in listed]
    count = await memory.delete_messages(ids, resource_id=call.bound or call.query.get("resourceId"))
    return {"success": True, "message": f"{count} message{'' if count == 1 else 's'} deleted successfully"}


async def search(call: Call) -> dict[str, Any]:
    """Messages that fit a text."""
    query, memory = call.query, await _memory(call)
    limit, thread_id = query.get("limit"), query.get("threadId")
    owner, recall = call.owner(query["resourceId"]) or query["resourceId"], memory.options.semantic_recall
    if thread_id is not None and (recall is None or recall.scope == "resource"):
        # The scope is the memory's: the thread only has to be there.
        if await memory.get_thread(thread_id, resource_id=owner) is None:
            raise NotFound("Thread not found")
        thread_id = None
    page = await memory.search(
        query["searchQuery"],
        resource_id=owner,
        thread_id=thread_id,
        limit=20 if limit is None else int(limit),
    )
    return page.to_wire()


# ---------------------------------------------------------------- observational memory


async def _observations(call: Call, source: dict[str, Any], **options: Any) -> tuple[Any, list[Any]]:
    memory = await _memory(call)
    thread_id, owner = source.get("threadId"), call.owner(source.get("resourceId"))
    if owner is None and thread_id is not None:
        thread = await memory.get_thread(thread_id)
        owner = None if thread is None else thread.resource_id
    if owner is None:
        return None, []
    return await memory.observations(resource_id=owner, thread_id=thread_id, **options)


async def observations(call: Call) -> dict[str, Any]:
    """The notes that stand for a long history, and their earlier forms."""
    query = call.query
    record, history = await _observations(
        call,
        query,
        limit=query.get("limit") or 20,
        offset=query.get("offset") or 0,
        start=query.get("from"),
        end=query.get("to"),
    )
    return {"record": record, "history": history}


async def observations_settled(call: Call) -> dict[str, Any]:
    """The notes, once the observer that is at work now is done."""
    record, _ = await _observations(call, call.body, settle=True)
    return {"record": record}


# ---------------------------------------------------------------- working memory


async def get_working_memory(call: Call) -> dict[str, Any]:
    """The page that the model keeps."""
    memory = await _memory(call)
    thread_id = call.params["threadId"]
    owner = call.owner(call.query.get("resourceId"))
    thread = await memory.get_thread(thread_id, resource_id=call.bound)
    options = memory.options.working_memory
    page = await memory.get_working_memory(thread_id=thread_id, resource_id=owner) if thread is not None else None
    return {
        "workingMemory": page,
        "source": options.scope if options is not None else ("resource" if owner else "thread"),
        "workingMemoryTemplate": None if options is None else {"format": "markdown", "content": options.template},
        "threadExists": thread is not None,
    }


async def update_working_memory(call: Call) -> dict[str, bool]:
    """Replace the page."""
    body, memory = call.body, await _memory(call)
    try:
        await memory.update_working_memory(
            body["workingMemory"],
            thread_id=call.params["threadId"],
            resource_id=call.owner(body.get("resourceId")),
        )
    except BadDefinition as error:
        raise Refused(500, {"error": error.message}) from None
    return {"success": True}


_THREADS = "/memory/threads"
_ONE = f"{_THREADS}/:threadId"
_MAIN = {
    f"GET {_THREADS}": list_threads,
    f"POST {_THREADS}": create_thread,
    f"GET {_ONE}": get_thread,
    f"PATCH {_ONE}": update_thread,
    f"DELETE {_ONE}": delete_thread,
    f"GET {_ONE}/messages": list_messages,
    "POST /memory/save-messages": save_messages,
    "POST /memory/messages/delete": delete_messages,
    "GET /memory/status": status,
}
ROUTES = {
    **_MAIN,
    # The same under the old name.
    **{key.replace("/memory/", "/memory/network/"): handler for key, handler in _MAIN.items()},
    "GET /memory/config": config,
    f"POST {_ONE}/clone": clone_thread,
    f"POST {_ONE}/transfer": transfer_thread,
    f"GET {_ONE}/working-memory": get_working_memory,
    f"POST {_ONE}/working-memory": update_working_memory,
    "GET /memory/search": search,
    "GET /memory/observational-memory": observations,
    "POST /memory/observational-memory/buffer-status": observations_settled,
}
