import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra.tools.builtin.sandbox import _CALLS, call_filter, command

ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000


def asked(program: bytes, number: int, audit: int, first: int = 0) -> int:
    """What the filter answers: a small machine for the instructions of classic BPF."""
    data = struct.pack("=IIQ6Q", number, audit, 0, first, 0, 0, 0, 0, 0)
    code = list(struct.iter_unpack("=HBBI", program))
    at = held = 0
    while True:
        operation, yes, no, value = code[at]
        if operation == 0x20:
            (held,) = struct.unpack_from("=I", data, value)
            at += 1
        elif operation == 0x06:
            return value
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[operation]
            at += 1 + (yes if holds else no)


@pytest.mark.parametrize("machine", _CALLS)
@given(number=st.integers(0, 600) | st.integers(0, 2**32 - 1), flags=st.integers(0, 2**32 - 1))
def test_the_filter_refuses_what_it_lists_and_lets_the_rest_through(machine, number, flags):
    audit, clone, clone3, refused = _CALLS[machine]
    answer = asked(call_filter(machine), number, audit, flags)
    if number >= 0x40000000 or number in refused:
        assert answer == ERRNO | 1
    elif number == clone3:
        assert answer == ERRNO | 38
    elif number == clone:
        assert answer == (ALLOW if flags & 0x10000 else ERRNO | 1)
    else:
        assert answer == ALLOW


@pytest.mark.parametrize("machine", _CALLS)
def test_another_machine_s_calls_are_no_way_around_it(machine):
    audit = _CALLS[machine][0]
    assert asked(call_filter(machine), 59, audit ^ 0x80000000) == KILL


def test_nothing_is_shared_for_writing():
    made = command("bwrap", "/usr/bin/python3", memory_mb=64, seconds=1, filter_fd=9)
    assert {"--unshare-all", "--unshare-user", "--clearenv", "--die-with-parent", "--new-session"} <= set(made)
    assert not {"--bind", "--dev-bind", "--share-net"} & set(made)
