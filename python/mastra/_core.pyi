"""
The compiled core of mastra. Import mastra.native instead.
"""
from __future__ import annotations
import collections.abc
import mastra.native.events
from mastra.native.events import SseEvent
import numpy
import numpy.typing
import typing
import typing_extensions
__all__: list[str] = ['Bm25Index', 'CacheStore', 'Lease', 'NdjsonParser', 'ObjectPool', 'PartialJson', 'RecordParser', 'SseEvent', 'SseParser', 'VectorIndex', 'active_kernel', 'build_info', 'cosine', 'dot', 'estimate_tokens', 'exact_search', 'fuse_ranks', 'hamming', 'kernels', 'l2', 'memory_counts', 'memory_limits', 'mmr', 'parse_json', 'process_memory', 'reset_memory_peaks', 'tokenize']
class VectorIndex:
    """
    Nearest neighbours among vectors of one width, in memory and in one file.
    
    metric: cosine, dot or l2 (squared distance). storage: default (8-bit residuals), compact
    (4-bit), f16 or f32 (the vectors themselves). Any thread may search while another changes.
    """
    @staticmethod
    def open(path: typing.Any, *, mmap: bool = True, read_only: bool = False, sync: bool = True) -> VectorIndex:
        """
        Opens a saved index. Every later add and remove is appended to path.log before it returns, and
        flushed to the disk unless sync=False; save(path) folds the log into the file.
        """
    def __contains__(self, arg0: typing.Any) -> bool:
        ...
    def __init__(self, dim: typing.SupportsInt | typing.SupportsIndex, *, metric: str = 'cosine', storage: str = 'default', seed: typing.SupportsInt | typing.SupportsIndex = 1, allow_zero: bool = False) -> None:
        ...
    def __len__(self) -> int:
        ...
    def add(self, vectors: typing.Any, ids: typing.Any = None, *, upsert: bool = False, threads: typing.SupportsInt | typing.SupportsIndex = 1) -> numpy.typing.NDArray[numpy.uint64]:
        """
        Adds one vector or rows of them; gives their ids. A refused batch changes nothing.
        """
    def get(self, ids: typing.Any) -> numpy.typing.NDArray[numpy.float32]:
        """
        The vectors of ids, as near as they are stored: exact with storage f32, to 12 bits by default.
        """
    def ids(self) -> numpy.typing.NDArray[numpy.uint64]:
        """
        The ids there are.
        """
    def optimize(self, *, threads: typing.SupportsInt | typing.SupportsIndex = 1) -> None:
        """
        Fits the codes anew, closes the gaps of removed rows (slots are numbered again, in order), gives memory back.
        """
    def remove(self, ids: typing.Any, *, missing_ok: bool = False) -> int:
        """
        Removes ids; gives how many were there. An unknown id raises unless missing_ok, and nothing is removed.
        """
    def save(self, path: typing.Any) -> None:
        """
        Writes one file, atomically; the file it replaces stays beside it as path.prev.
        """
    def search(self, queries: typing.Any, k: typing.SupportsInt | typing.SupportsIndex = 10, ef: typing.SupportsInt | typing.SupportsIndex | None = None, threads: typing.SupportsInt | typing.SupportsIndex = 1, where: typing.Any = None, *, recall: typing.SupportsFloat | typing.SupportsIndex | None = None) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.float32]]:
        """
        The k nearest of each query, best first: (ids, scores). A 1-d query gives 1-d answers.
        
        Scores: cosine and dot, the larger the better; l2, the squared distance. Give `ef` (rows kept while
        searching) or `recall` (0..1, from the index's own calibration), or neither. `where` limits the answers:
        bool by slot, packed bits by slot (uint8, low bit first) or ids. Fewer rows than k give fewer columns.
        """
    def slots(self) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.bool]]:
        """
        (ids by slot, bool by slot: in use): the order that masks follow.
        """
    def stats(self) -> dict[str, typing.Any]:
        """
        Rows, bytes by category, and how the index searches.
        """
    @property
    def dim(self) -> int:
        ...
    @property
    def metric(self) -> str:
        ...
    @property
    def storage(self) -> str:
        ...
class SseParser:
    """
    An incremental parser of server-sent events; one per stream.
    
    Any chunking of the same bytes gives the same events. A line that is not UTF-8 raises
    NativeInvalidEncoding and one over its limit NativeLimit, after the events before it were
    handed out.
    """
    def __init__(self, *, max_line_bytes: typing.SupportsInt | typing.SupportsIndex = 16777216, max_event_bytes: typing.SupportsInt | typing.SupportsIndex = 67108864) -> None:
        ...
    def close(self) -> None:
        """
        The end of the stream: raises what is still to be raised; an event without its empty line is dropped.
        """
    def feed(self, chunk: bytes | bytearray | memoryview) -> list[mastra.native.events.SseEvent]:
        """
        The events that `chunk` completes.
        """
    @property
    def incomplete(self) -> bool:
        """
        Bytes came after the last event: the stream was cut in the middle of one.
        """
    @property
    def last_event_id(self) -> str:
        """
        What a reconnecting client sends as Last-Event-ID.
        """
    @property
    def retry(self) -> int | None:
        """
        The reconnection time in milliseconds, if the stream set one.
        """
class RecordParser:
    """
    An incremental parser of records that end with the byte 0x1E; one per stream.
    """
    def __init__(self, *, max_record_bytes: typing.SupportsInt | typing.SupportsIndex = 67108864) -> None:
        ...
    def close(self) -> list[str]:
        """
        The end of the stream: the record after the last delimiter, if there is one.
        """
    def feed(self, chunk: bytes | bytearray | memoryview) -> list[str]:
        """
        The records that `chunk` completes, as text without the white space around them.
        """
    @property
    def incomplete(self) -> bool:
        """
        Bytes came after the last delimiter.
        """
class NdjsonParser:
    """
    An incremental parser of newline-delimited JSON; one per stream.
    """
    def __init__(self, *, max_record_bytes: typing.SupportsInt | typing.SupportsIndex = 67108864) -> None:
        ...
    def close(self) -> list[str]:
        """
        The end of the stream: the record after the last delimiter, if there is one.
        """
    def feed(self, chunk: bytes | bytearray | memoryview) -> list[str]:
        """
        The records that `chunk` completes, as text without the white space around them.
        """
    @property
    def incomplete(self) -> bool:
        """
        Bytes came after the last delimiter.
        """
class PartialJson:
    """
    The best value of a JSON text that is still arriving.
    
    Unfinished strings and numbers show what has come, `t` already shows True, a key shows
    up with its value. Each feed costs time for its own bytes only. Text that cannot become
    JSON raises NativeInvalidArgument, bytes that are not UTF-8 NativeInvalidEncoding, too
    deep, too long or too large a number NativeLimit; the value stays what it was before.
    """
    def __init__(self, *, max_depth: typing.SupportsInt | typing.SupportsIndex = 200, max_bytes: typing.SupportsInt | typing.SupportsIndex = 67108864) -> None:
        ...
    def close(self) -> typing.Any:
        """
        The end of the text: the final value, or NativeInvalidArgument when it is not complete.
        """
    def feed(self, chunk: str | bytes | bytearray | memoryview) -> typing.Any:
        """
        Reads `chunk`; returns `value`.
        """
    def snapshot(self) -> typing.Any:
        """
        The value so far in containers that do not change with the next feed. Costs the width of the open
        containers; closed ones are shared.
        """
    @property
    def complete(self) -> bool:
        """
        A whole value has been read. A number at the top is complete only after close.
        """
    @property
    def value(self) -> typing.Any:
        """
        The value so far, None before there is one. It grows in place: read it, do not change it.
        """
class Lease:
    """
    An object of a pool for the length of a `with` block; may be entered again after it was left.
    """
    @staticmethod
    def __class_getitem__(item: typing.Any) -> typing.Any:
        """
        ObjectPool[T] names the objects' type.
        """
    def __enter__(self) -> typing.Any:
        """
        Takes an object.
        """
    def __exit__(self, *error: typing.Any) -> None:
        """
        Gives it back.
        """
class ObjectPool:
    """
    A bounded pool of objects that are dear to make and easy to wipe.
    
    At most `capacity` objects made by `make`; `reset` wipes one that comes back. For any thread.
    What `make` and `reset` raise passes through; an object whose reset raised is let go.
    """
    @staticmethod
    def __class_getitem__(item: typing.Any) -> typing.Any:
        """
        ObjectPool[T] names the objects' type.
        """
    def __init__(self, make: collections.abc.Callable[[], typing.Any], *, reset: typing.Any = None, capacity: typing.SupportsInt | typing.SupportsIndex = 64) -> None:
        ...
    def acquire(self) -> typing.Any:
        """
        An object nobody else has; NativeLimit when all are out, NativeClosed after close.
        """
    def borrow(self) -> typing.Any:
        """
        An object nobody else has, which is free again as soon as nobody holds it; it is reset when it is handed out again.
        """
    def close(self) -> None:
        """
        Lets the free objects go; the ones that are out go when they come back.
        """
    def lease(self) -> Lease:
        """
        An object for the length of a `with` block.
        """
    def release(self, item: typing.Any) -> None:
        """
        Resets the object and makes it free. NativeInvalidArgument for a foreign object and for one that is not out.
        """
    def stats(self) -> dict[str, int]:
        """
        hits, misses, outstanding, high_water, capacity.
        """
class CacheStore:
    """
    Objects by key, at most `max_entries` and `max_bytes` of them (0: no limit), forgotten
    when they are too old or others are asked for more. For any thread. Each of the
    `shards` has its part of the room; more than one only helps without a GIL.
    """
    def __init__(self, *, max_entries: typing.SupportsInt | typing.SupportsIndex = 10000, max_bytes: typing.SupportsInt | typing.SupportsIndex = 0, shards: typing.SupportsInt | typing.SupportsIndex = 1, clock: collections.abc.Callable[[], float] | None = None) -> None:
        ...
    def __len__(self) -> int:
        ...
    def clear(self) -> None:
        """
        Forgets everything.
        """
    def delete(self, key: str) -> bool:
        """
        Forgets the value; whether there was one.
        """
    def get(self, key: str, default: typing.Any = None) -> typing.Any:
        """
        The value, or `default` when there is none or it is too old.
        """
    def purge(self) -> int:
        """
        Forgets what is too old; returns how many. Reading never returns them anyway.
        """
    def set(self, key: str, value: typing.Any, *, ttl_s: typing.SupportsFloat | None = None, size: typing.SupportsInt | None = None, only_new: bool = False) -> bool:
        """
        Keeps the value, for at most `ttl_s` seconds. `size` is its weight in bytes where `max_bytes` counts; bytes
        and str weigh themselves. False when it is larger than the room, or there with `only_new`.
        """
    def stats(self) -> dict[str, int]:
        """
        hits, misses, sets, evictions, expirations, entries, bytes.
        """
class Bm25Index:
    """
    A full-text index scored by BM25, for any script. Documents may be added, replaced and removed
    at any time; scores are exact at every moment. For any thread.
    """
    def __contains__(self, id: str) -> bool:
        ...
    def __init__(self, *, k1: typing.SupportsFloat | typing.SupportsIndex = 1.2000000476837158, b: typing.SupportsFloat | typing.SupportsIndex = 0.75) -> None:
        ...
    def __len__(self) -> int:
        ...
    def add(self, id: str, text: str) -> None:
        """
        Adds the document, in place of the one with this id if there is one.
        """
    def add_words(self, id: str, words: collections.abc.Sequence[str]) -> None:
        """
        The same for words that you have cut yourself.
        """
    def clear(self) -> None:
        """
        Takes every document out.
        """
    def remove(self, id: str) -> bool:
        """
        Takes the document out; whether it was there.
        """
    def search(self, question: str, k: typing.SupportsInt | typing.SupportsIndex = 10, *, only: collections.abc.Set[str] | None = None) -> list[tuple[str, float]]:
        """
        The best `k` documents and their scores, best first; with `only`, of these ids.
        """
    def search_words(self, words: collections.abc.Sequence[str], k: typing.SupportsInt | typing.SupportsIndex = 10, *, only: collections.abc.Set[str] | None = None) -> list[tuple[str, float]]:
        """
        The same for words that you have cut yourself.
        """
    @property
    def vocabulary(self) -> int:
        """
        How many different words there are.
        """
def active_kernel() -> str:
    """
    The instruction set in use. MASTRA_KERNEL=name in the environment forces one.
    """
def build_info() -> dict[str, typing.Any]:
    """
    What this build of the core is: version, compiler, architecture, debug.
    """
def cosine(a: typing.Any, b: typing.Any, *, element: str | None = None) -> float | numpy.typing.NDArray[numpy.float32]:
    """
    The cosine of the angle between two vectors, or between rows; 0 for the zero vector.
    
    Floats, float16 and int8 arrays say what they are; `element` names bf16 (uint16 arrays), u4 (packed
    uint8, the low half first).
    """
def dot(a: typing.Any, b: typing.Any, *, element: str | None = None) -> float | numpy.typing.NDArray[numpy.float32]:
    """
    The dot product of two vectors, or of rows. See cosine.
    """
def estimate_tokens(text: str, encoding: str = 'o200k_base') -> int:
    """
    About how many tokens `text` has in cl100k_base or o200k_base, without their vocabularies.
    """
def exact_search(base: typing.Any, queries: typing.Any, k: typing.SupportsInt | typing.SupportsIndex = 10, *, metric: str = 'cosine', threads: typing.SupportsInt | typing.SupportsIndex = 1) -> tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.float32]]:
    """
    The k best rows of `base` for each query, best first, by looking at every row: (row numbers, scores).
    
    Scores: cosine and dot, the larger the better; l2, the squared distance, the smaller the better. Fewer
    rows than k give fewer columns. A row whose score is not a number is never an answer.
    """
def fuse_ranks(rankings: collections.abc.Iterable[collections.abc.Iterable[typing.Any]], *, weights: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex] | None = None, k: typing.SupportsFloat | typing.SupportsIndex = 60.0) -> list[tuple[typing.Any, float]]:
    """
    Reciprocal-rank fusion: one ranking out of several, whatever their scores mean.
    """
def hamming(a: typing.Any, b: typing.Any) -> int | numpy.typing.NDArray[numpy.uint64]:
    """
    The number of bits that differ; a and b are packed uint8.
    """
def kernels() -> list[str]:
    """
    The instruction sets this machine runs, most preferred first.
    """
def l2(a: typing.Any, b: typing.Any, *, element: str | None = None) -> float | numpy.typing.NDArray[numpy.float32]:
    """
    The squared Euclidean distance of two vectors, or of rows. See cosine.
    """
def memory_counts() -> dict[str, dict[str, int]]:
    """
    Live and peak bytes and the number of allocations, by category of the core.
    """
def memory_limits(*, root: str = '') -> dict[str, int | None]:
    """
    What this process may use, in bytes.
    """
def mmr(question: typing_extensions.Buffer, vectors: typing_extensions.Buffer, k: typing.SupportsInt | typing.SupportsIndex, *, balance: typing.SupportsFloat | typing.SupportsIndex = 0.5) -> list[int]:
    """
    The numbers of the `k` rows that are near the question and unlike each other, in order of picking.
    
    `balance` 1 looks at nearness only, 0 at unlikeness only. Both arguments are float32 buffers (numpy arrays).
    """
def parse_json(text: str | bytes | bytearray | memoryview, *, max_depth: typing.SupportsInt | typing.SupportsIndex = 200) -> typing.Any:
    """
    Parses one JSON text, strictly: NaN, infinities, trailing commas and a byte-order mark are refused.
    """
def process_memory(*, with_proportional: bool = False, root: str = '') -> dict[str, int | None]:
    """
    What the operating system says about this process, in bytes.
    """
def reset_memory_peaks() -> None:
    """
    Each peak becomes what is live now.
    """
def tokenize(text: str) -> list[str]:
    """
    The words of a text as the index sees them: folded, in any script.
    """
