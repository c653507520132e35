"""HTTP/2: tells a server that nobody listens to an answer any more, which the client library does not do by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

# RFC 9113, section 7.
CANCEL = 8


async def cancel(response: httpx.Response) -> None:
    """Reset the stream of an answer that was not read to its end; the connection stays for others.

    Without it the server writes on, and what it writes fills the window that all streams of the connection share.
    The way to the stream is not public; where a version of the library has another one, nothing is done.
    """
    stream: Any = response.stream
    for name in ("_stream", "_httpcore_stream", "_stream"):
        stream = getattr(stream, name, None)
    connection = getattr(stream, "_connection", None)
    state, number = getattr(connection, "_h2_state", None), response.extensions.get("stream_id")
    if connection is None or state is None or number is None:
        return
    import httpcore  # noqa: PLC0415 - loaded with the connection
    from h2.exceptions import ProtocolError  # noqa: PLC0415 - loaded with the connection

    try:
        state.reset_stream(number, error_code=CANCEL)
        await connection._write_outgoing_data(stream._request)  # noqa: SLF001 - see above
    except (ProtocolError, httpcore.NetworkError, httpcore.TimeoutException, OSError):
        return  # it is over already, or the whole connection is
