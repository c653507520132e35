"""What the pgvector adapter asks and how it reads errors; the contract suite runs against a server."""

import numpy as np
import pytest

pytest.importorskip("psycopg")

import psycopg

from mastra.errors import BadSetting, IndexMissing, InvalidId, Unsupported, VectorError
from mastra.vectors.pgvector import PgVectors, _literal, _match, _narrow, translate


def test_fields_and_texts_of_a_filter_are_bound():
    hostile = "x') OR TRUE --"
    sql, arguments = _narrow({hostile: hostile, "n": {"$in": ["a", "b"]}, "m": {"$gt": 1}, "$or": [{"a": "b"}]})
    assert hostile not in sql
    assert arguments == [hostile, hostile, "n", "a", "n", "b"]
    assert sql.count("%s") == len(arguments)
    assert _narrow(None) == ("TRUE", [])


def test_vectors_are_numbers_that_the_server_reads_back():
    assert _literal(np.array([1.5, -2e-8], dtype=np.float32)).startswith("[1.5,-1.99")


def test_scores_grow_with_the_match():
    row = ("a", 0.25, '{"n":1}', "text", None)
    assert _match(row, "cosine")[:3] == ("a", 0.75, {"n": 1})
    assert _match(row, "dotproduct").score == -0.25
    assert _match(row, "euclidean").score == 0.8


def test_names_and_settings_are_checked():
    with pytest.raises(InvalidId):
        PgVectors("postgresql://h/d")._table('a"; DROP')
    with pytest.raises(BadSetting):
        PgVectors.from_url("pgvector://h/d?schema=a;b")


def test_errors_of_the_server_in_our_words():
    assert isinstance(translate(psycopg.errors.UndefinedTable()), IndexMissing)
    assert isinstance(translate(psycopg.errors.UndefinedFile()), Unsupported)
    broke = translate(psycopg.OperationalError("postgresql://u:hunter2@h"))
    assert isinstance(broke, VectorError)
    assert broke.retryable
    assert "hunter2" not in f"{broke}{broke.hint}"
