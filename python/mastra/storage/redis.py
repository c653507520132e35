"""Storage in Redis or Valkey: a hash of rows, sorted sets as indexes, batches as one script.

As durable as the server is set up to be: with `appendonly yes` and `appendfsync always` an acknowledged write
survives a power cut; with Redis's own defaults it may not.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from mastra.errors import (
    BadSetting,
    CommitUnknown,
    Conflict,
    MastraError,
    MissingExtra,
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageUnavailable,
)  # fmt: skip
from mastra.ports.storage import Storage
from mastra.storage.layouts import known_layout
from mastra.storage.plans import Plan, begin_scan, plan
from mastra.storage.rows import (
    broken,
    check_batch,
    check_key,
    check_table,
    encode_cursor,
)  # fmt: skip
from mastra.storage.sortkeys import sort_bytes, sort_key
from mastra.types.filters import compile_filter
from mastra.types.ids import new_id
from mastra.types.json import loads
from mastra.types.records import Expect, Filter, Layout, Operation, Order, Page, Put, Record, Table

try:
    import redis.asyncio as redis_client
    import redis.exceptions as redis_errors
except ImportError as error:
    raise MissingExtra("redis", feature="Redis storage", module="redis") from error

log = logging.getLogger("mastra.storage")

LAYOUT = 1
CHUNK = 500
MAX_TRIES = 50
# The driver's own five seconds end a large batch on a busy server; a URL may name others.
TIMEOUTS: dict[str, Any] = {"socket_connect_timeout": 15, "socket_timeout": 60}
_PREFIX = re.compile(r"[A-Za-z0-9_:\-]{1,60}")

# Checks versions and preconditions first, then writes; Redis runs a script whole, with nothing in between.
BATCH = """
local i = 2
for _ = 1, tonumber(ARGV[1]) do
  if (redis.call('GET', ARGV[i]) or '0') ~= ARGV[i + 1] then return 'stale' end
  i = i + 2
end
local checks = tonumber(ARGV[i])
i = i + 1
for _ = 1, checks do
  local now = redis.call('HGET', ARGV[i], ARGV[i + 1])
  if ARGV[i + 2] == '0' then
    if now then return 'changed' end
  elseif now ~= ARGV[i + 3] then
    return 'changed'
  end
  i = i + 4
end
while ARGV[i] do
  local base, key = ARGV[i + 1], ARGV[i + 2]
  local old = redis.call('HGET', base .. ':x', key)
  if old then
    local places = cmsgpack.unpack(old)
    for j = 1, #places, 2 do redis.call('ZREM', places[j], places[j + 1]) end
  end
  if ARGV[i] == 'D' then
    redis.call('HDEL', base, key)
    redis.call('HDEL', base .. ':x', key)
    redis.call('ZREM', base .. ':k', key)
    i = i + 3
  else
    local count = tonumber(ARGV[i + 4])
    local places = {}
    redis.call('HSET', base, key, ARGV[i + 3])
    redis.call('ZADD', base .. ':k', 0, key)
    redis.call('SADD', KEYS[1], base)
    for j = 1, count do
      local set, member = ARGV[i + 3 + 2 * j], ARGV[i + 4 + 2 * j]
      redis.call('ZADD', set, 0, member)
      places[2 * j - 1] = set
      places[2 * j] = member
    end
    redis.call('HSET', base .. ':x', key, cmsgpack.pack(places))
    i = i + 5 + 2 * count
  end
end
return 'ok'
"""


class RedisStorage(Storage):
    """Rows in Redis 6.2 or newer, under one prefix."""

    def __init__(self, url: str, *, prefix: str = "mastra") -> None:
        if not _PREFIX.fullmatch(prefix):
            raise BadSetting(f"{prefix!r} is not a key prefix.", hint="Use letters, digits, _, - and :.")
        self._url = url
        # One hash slot, so that a script may touch all its keys in a cluster, too.
        self._prefix = f"{{{prefix}}}"
        self._client: Any = None
        self._script: Any = None
        # Table name -> (version of the declaration in the server, its index entries).
        self._catalog: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._opening = asyncio.Lock()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """`redis://host:6379/0`, also `rediss://` and `valkey://`; `?prefix=` is ours, the rest is the driver's."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        prefix = options.pop("prefix", "mastra")
        scheme = {"valkey": "redis", "valkeys": "rediss"}.get(parts.scheme, parts.scheme)
        return cls(urlunsplit((scheme, parts.netloc, parts.path, urlencode(options), "")), prefix=prefix)

    async def open(self) -> None:
        """Connect, check the layout, and say so when the server does not keep what it acknowledges."""
        async with self._opening:
            if self._client is not None:
                return
            client = redis_client.from_url(self._url, **TIMEOUTS)
            try:
                await self._known(client)
                await client.set(f"{self._prefix}:layout", LAYOUT)
                info = await client.info("persistence")
            except Exception as error:
                await client.aclose()
                raise translate(error) from error
            if not info.get("aof_enabled"):
                log.warning("Redis runs without appendonly: acknowledged writes can be lost when it stops")
            self._client = client
            self._script = client.register_script(BATCH)

    async def _known(self, client: Any) -> Layout:
        return known_layout(int(await client.get(f"{self._prefix}:layout") or 0), LAYOUT, "The server", "redis")

    async def layout(self) -> Layout:
        """The layout in the server as it is; nothing is written."""
        try:
            async with redis_client.from_url(self._url, **TIMEOUTS) as client:
                return await self._known(client)
        except Exception as error:
            raise translate(error) from error

    async def close(self) -> None:
        """Give the connections back."""
        client, self._client = self._client, None
        self._catalog.clear()
        if client is not None:
            await client.aclose()

    def _base(self, table: Table) -> str:
        return f"{self._prefix}:t:{table.name}:{table.tenant}"

    # ---------------------------------------------------------------- reading

    async def get(self, table: Table, key: str) -> dict[str, Any] | None:
        """The row, or None."""
        return (await self.get_many(table, [key])).get(key)

    async def get_many(self, table: Table, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The rows of `keys` that exist, in one command."""
        wanted = list(dict.fromkeys(map(check_key, keys)))
        await self._ready(table)
        texts = await self._texts(table, wanted)
        return {key: _load(table, key, text) for key, text in zip(wanted, texts, strict=True) if text is not None}

    async def _texts(self, table: Table, keys: list[str]) -> list[bytes | None]:
        if not keys:
            return []
        found: list[bytes | None] = await self._do("hmget", self._base(table), keys)
        return found

    async def _do(self, command: str, *arguments: Any, **options: Any) -> Any:
        try:
            return await getattr(self._client, command)(*arguments, **options)
        except Exception as error:
            raise translate(error) from error

    async def scan(
        self,
        table: Table,
        where: Filter | None = None,
        *,
        order: Order | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Rows that match `where`, ordered, from the cursor on."""
        matcher, chosen, cursor = begin_scan(table, where, order, after, limit)
        await self._ready(table)
        if not chosen.ordered:
            return await self._scan_sorted(table, matcher, chosen, order, cursor, limit)
        records: list[Record] = []
        low_high = self._bounds(chosen, order, cursor)
        offset_key, down = self._set(table, chosen), order is not None and order.descending
        low, high = low_high
        while len(records) <= limit:
            wanted = limit + 1 - len(records) if chosen.exact else CHUNK
            members = await self._range(offset_key, low, high, wanted, down=down)
            keys = [self._key_of(chosen, member) for member in members]
            for key, text in zip(keys, await self._texts(table, keys), strict=True):
                if text is not None:
                    value = _load(table, key, text)
                    if matcher(value):
                        records.append(Record(key, value))
            if len(members) < wanted:
                break
            low, high = (low, b"(" + members[-1]) if down else (b"(" + members[-1], high)
        return _page(records, order, limit)

    def _set(self, table: Table, chosen: Plan) -> str:
        if chosen.fields is None:
            return f"{self._base(table)}:k"
        return f"{self._base(table)}:i:{'+'.join(chosen.fields)}"

    def _bounds(self, chosen: Plan, order: Order | None, cursor: tuple[str, Any] | None) -> tuple[bytes, bytes]:
        prefix = b"".join(part(value) for value in chosen.fixed)
        # 0xff is in no member: texts are UTF-8, and numbers begin with 0x01.
        low, high = (b"[" + prefix if prefix else b"-"), (b"(" + prefix + b"\xff" if prefix else b"+")
        if cursor is None:
            return low, high
        place = prefix
        if chosen.fields is not None and order is not None and len(chosen.fixed) < len(chosen.fields):
            place += part(cursor[1])
        place += cursor[0].encode()
        if order is not None and order.descending:
            return low, b"(" + place
        return b"(" + place, high

    def _key_of(self, chosen: Plan, member: bytes) -> str:
        at = 0
        for _ in chosen.fields or ():
            at = _skip(member, at)
        return member[at:].decode()

    async def _range(self, name: str, low: bytes, high: bytes, count: int, *, down: bool) -> list[bytes]:
        command, first, last = ("zrevrangebylex", high, low) if down else ("zrangebylex", low, high)
        found: list[bytes] = await self._do(command, name, first, last, start=0, num=count)
        return found

    async def _scan_sorted(
        self,
        table: Table,
        matcher: Any,
        chosen: Plan,
        order: Order | None,
        cursor: tuple[str, Any] | None,
        limit: int,
    ) -> Page:
        """No index gives this order: read what the filter's index leaves, and sort here."""
        places: list[tuple[Any, str, Record]] = []
        low, high = self._bounds(chosen, None, None)
        while True:
            members = await self._range(self._set(table, chosen), low, high, CHUNK, down=False)
            keys = [self._key_of(chosen, member) for member in members]
            for key, text in zip(keys, await self._texts(table, keys), strict=True):
                value = None if text is None else _load(table, key, text)
                if value is not None and matcher(value):
                    places.append((sort_key(value.get(order.field)) if order else 0, key, Record(key, value)))
            if len(members) < CHUNK:
                break
            low = b"(" + members[-1]
        down = order is not None and order.descending
        places.sort(key=lambda item: item[:2], reverse=down)
        if cursor is not None:
            place = (sort_key(cursor[1]) if order else 0, cursor[0])
            places = [item for item in places if (item[:2] < place if down else item[:2] > place)]
        return _page([record for _, _, record in places[: limit + 1]], order, limit)

    async def count(self, table: Table, where: Filter | None = None) -> int:
        """How many rows match."""
        matcher = compile_filter(where)
        chosen = plan(table, where, None)
        await self._ready(table)
        fixed_all = len(chosen.conditions) == len(chosen.fixed)
        if chosen.exact and fixed_all:
            low, high = self._bounds(chosen, None, None)
            return int(await self._do("zlexcount", self._set(table, chosen), low, high))
        total, after = 0, None
        while True:
            page = await self.scan(table, where, after=after, limit=1000)
            total += sum(1 for record in page.records if matcher(record.value))
            after = page.after
            if after is None:
                return total

    # ---------------------------------------------------------------- writing

    async def write(self, batch: Sequence[Operation]) -> None:
        """All of `batch` or nothing, in one script."""
        checked = check_batch(batch)
        if not checked:
            return
        for table in {operation.table for operation, _ in checked}:
            await self._ready(table)
        for attempt in range(MAX_TRIES):
            answer = await self._apply(checked)
            if answer == b"ok":
                return
            if answer == b"stale":
                for table in {operation.table for operation, _ in checked}:
                    self._catalog.pop(table.name, None)
                    await self._ready(table)
            else:
                # A row changed between the look and the script: look again.
                await asyncio.sleep(0.001 * attempt)
        raise StorageUnavailable("Others changed the same rows too often.", hint="Try again.", adapter="redis")

    async def _apply(self, checked: list[tuple[Operation, str]]) -> bytes:
        checks: list[Any] = []
        for operation, _ in checked:
            if isinstance(operation, Expect):
                checks += await self._expectation(operation)
        names = {operation.table.name for operation, _ in checked}
        arguments: list[Any] = [len(names)]
        for name in names:
            arguments += [f"{self._prefix}:v:{name}", self._catalog[name][0]]
        arguments += [len(checks) // 4, *checks]
        for operation, text in checked:
            if isinstance(operation, Expect):
                continue
            base = self._base(operation.table)
            if isinstance(operation, Put):
                places = self._places(operation.table.name, base, operation.key, operation.value)
                arguments += ["P", base, operation.key, text, len(places) // 2, *places]
            else:
                arguments += ["D", base, operation.key]
        return await self._run_batch([f"{self._prefix}:bases", *arguments])

    async def _run_batch(self, arguments: list[Any]) -> bytes:
        """The script, sent once: the driver's own retries would do again what may have been done."""
        pool = self._client.connection_pool
        try:
            connection = await pool.get_connection()
        except Exception as error:
            raise translate(error) from error
        try:
            try:
                answer: bytes = await _call(connection, "EVALSHA", self._script.sha, 1, *arguments)
            except redis_errors.NoScriptError:
                answer = await _call(connection, "EVAL", BATCH, 1, *arguments)
        except Exception as error:
            raise translate_write(error) from error
        finally:
            await pool.release(connection)
        return answer

    async def _expectation(self, operation: Expect) -> list[Any]:
        """The row as it is, for the script to compare; `Conflict` when it is not what was expected."""
        table = operation.table
        [text] = await self._texts(table, [operation.key])
        value = None if text is None else _load(table, operation.key, text)
        fits = value is None if operation.where is None else value is not None
        if not fits or (value is not None and not compile_filter(operation.where)(value)):
            raise Conflict(broken(operation), adapter="redis")
        return [self._base(table), operation.key, "0" if text is None else "1", text or ""]

    def _places(self, name: str, base: str, key: str, value: dict[str, Any]) -> list[Any]:
        places: list[Any] = []
        for entry in self._catalog[name][1]:
            member = b"".join(part(_scalar(value.get(field))) for field in entry.split("+"))
            places += [f"{base}:i:{entry}", member + key.encode()]
        return places

    async def claim(
        self, table: Table, where: Filter, *, order: Order, limit: int, changes: dict[str, Any]
    ) -> list[Record]:
        """Take rows one by one; a row that another caller took first is passed over."""
        claimed: list[Record] = []
        after: str | None = None
        while len(claimed) < limit:
            page = await self.scan(table, where, order=order, after=after, limit=limit)
            for record in page.records:
                new = Record(record.key, {**record.value, **changes})
                try:
                    await self.write([Expect(table, record.key, where), Put(table, record.key, new.value)])
                except Conflict:
                    continue
                claimed.append(new)
                if len(claimed) == limit:
                    break
            after = page.after
            if after is None:
                break
        return claimed

    # ---------------------------------------------------------------- layout

    async def _ready(self, table: Table) -> None:
        check_table(table)
        known = self._catalog.get(table.name)
        if known is not None and set(table.indexes) <= set(known[1]):
            return
        await self.open()
        version, entries = await self._declaration(table.name)
        if not set(table.indexes) <= set(entries):
            await self._declare(table)
            version, entries = await self._declaration(table.name)
        self._catalog[table.name] = (version, entries)

    async def _declaration(self, name: str) -> tuple[str, tuple[str, ...]]:
        version = await self._do("get", f"{self._prefix}:v:{name}")
        entries = await self._do("smembers", f"{self._prefix}:d:{name}")
        return (version or b"0").decode(), tuple(sorted(entry.decode() for entry in entries))

    async def _declare(self, table: Table) -> None:
        """Add index entries: from now on every writer must know them; then the rows that are there get theirs."""
        lock, token = f"{self._prefix}:lock:{table.name}", new_id()
        for _ in range(600):
            if await self._do("set", lock, token, nx=True, px=60_000):
                break
            await asyncio.sleep(0.05)
        else:
            raise StorageUnavailable("Another process changes the table for too long.", adapter="redis")
        try:
            await self._do("sadd", f"{self._prefix}:d:{table.name}", *table.indexes)
            await self._do("incr", f"{self._prefix}:v:{table.name}")
            self._catalog[table.name] = await self._declaration(table.name)
            for other in await self.tables():
                if other.name == table.name:
                    await self._fill(other)
        finally:
            await self._do("delete", lock)

    async def _fill(self, table: Table) -> None:
        cursor = 0
        while True:
            cursor, rows = await self._do("hscan", self._base(table), cursor, count=CHUNK)
            for raw, text in rows.items():
                key = raw.decode()
                checks = [self._base(table), key, "1", text]
                places = self._places(table.name, self._base(table), key, _load(table, key, text))
                put = ["P", self._base(table), key, text, len(places) // 2, *places]
                # A row that changed meanwhile was written by somebody who knows the new entries.
                await self._script(keys=[f"{self._prefix}:bases"], args=[0, 1, *checks, *put])
            if cursor == 0:
                return

    async def tables(self) -> list[Table]:
        """Every table of every tenant that holds rows."""
        await self.open()
        found: list[Table] = []
        for raw in sorted(await self._do("smembers", f"{self._prefix}:bases")):
            name, _, tenant = raw.decode().removeprefix(f"{self._prefix}:t:").partition(":")
            if await self._do("hlen", raw):
                found.append(Table(name, (await self._declaration(name))[1], tenant))
        return found


def part(value: Any) -> bytes:
    """A value inside an index member: sorted, and such that none is the beginning of another."""
    encoded = sort_bytes(value)
    return encoded + b"\0" if isinstance(value, str) else encoded


def _skip(member: bytes, at: int) -> int:
    kind = member[at]
    if kind == 0:
        return at + 1
    return at + 9 if kind == 1 else member.index(b"\0", at) + 1


def _scalar(value: Any) -> Any:
    """A field that this process does not declare may hold anything; only scalars are sorted."""
    if isinstance(value, str):
        return value.replace("\0", "")
    return value if isinstance(value, int | float) and abs(value) < 1e308 else None


def _page(records: list[Record], order: Order | None, limit: int) -> Page:
    if len(records) <= limit:
        return Page(records)
    last = records[limit - 1]
    return Page(records[:limit], encode_cursor(order, last.value.get(order.field) if order else None, last.key))


def _load(table: Table, key: str, text: bytes) -> dict[str, Any]:
    try:
        value: dict[str, Any] = loads(text)
    except ValueError as error:
        raise StorageCorrupt(f"The row {key!r} of {table.name!r} is not JSON.", adapter="redis") from error
    return value


async def _call(connection: Any, *command: Any) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()


def translate_write(error: Exception) -> Exception:
    """The error of a script that was sent: a refusal wrote nothing, a connection that broke may have."""
    broke = isinstance(error, redis_errors.ConnectionError | redis_errors.TimeoutError | OSError)
    if not broke or isinstance(error, redis_errors.BusyLoadingError):
        return translate(error)
    return CommitUnknown(
        "The connection broke during a write: it may have happened.",
        hint="Read what is there before you write it again.",
        adapter="redis",
    )


def translate(error: Exception) -> Exception:
    """Redis's error in our words."""
    if isinstance(error, MastraError) or not isinstance(error, redis_errors.RedisError | OSError):
        return error
    text = str(error)
    if text.startswith("OOM"):
        return StorageFull("Redis has no memory left; nothing was written.", adapter="redis")
    if isinstance(error, redis_errors.ConnectionError | redis_errors.TimeoutError | OSError) or text.startswith(
        ("MISCONF", "LOADING", "READONLY", "BUSY", "CLUSTERDOWN", "MASTERDOWN")
    ):
        return StorageUnavailable(
            "Redis cannot be reached or does not take writes.",
            hint="Nothing was written. Look whether the server runs, and try again.",
            adapter="redis",
        )
    return StorageError(f"Redis failed: {type(error).__name__}.", adapter="redis")
