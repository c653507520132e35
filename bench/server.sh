#!/usr/bin/env bash
# Requests a second of one server process, SQLite storage, 16 connections, wrk.
#   MOCK_LLM_URL=http://127.0.0.1:4900/v1 bench/server.sh [SECONDS]
# MOCK_LLM_URL is any OpenAI-compatible server that answers at once: a message with USE_TOOL gets a call of get_weather,
# one with USE_LONG a stream of 500 deltas, any other a short text.
set -eu
: "${MOCK_LLM_URL:?an OpenAI-compatible server that answers at once}"
cd "$(dirname "$0")"
folder=$(mktemp -d)
export DB="sqlite:///$folder/bench.db"
PORT=4411 mastra start server_app.py:mastra >"$folder/log" 2>&1 &
server=$!
trap 'kill $server; rm -rf "$folder"' EXIT
began=$(date +%s%N)
until curl -fs -o /dev/null localhost:4411/readyz; do sleep 0.02; done
echo "ready after $((($(date +%s%N) - began) / 1000000)) ms, $(ps -o rss= -p $server) KiB"
cat >"$folder/post.lua" <<'LUA'
wrk.method, wrk.body = "POST", os.getenv("BODY")
wrk.headers["Content-Type"] = "application/json"
LUA
measure() {
  BODY=$3 wrk -t1 -c16 -d1s -s "$folder/post.lua" "http://127.0.0.1:4411$2" >/dev/null
  BODY=$3 wrk -t1 -c16 -d"${SECONDS_EACH}s" --latency -s "$folder/post.lua" "http://127.0.0.1:4411$2" |
    awk -v name="$1" '/99%/ {p99=$2} /Requests\/sec/ {rps=$2} /Non-2xx/ {bad=$NF} END {print name, rps, "req/s, p99", p99, bad ? bad " FAILED" : ""}'
}
SECONDS_EACH=${1:-8}
user() { echo "{\"messages\":[{\"role\":\"user\",\"content\":\"$1\"}]}"; }
measure generate /api/agents/assistant/generate "$(user hello)"
measure generate-tool /api/agents/assistant/generate "$(user USE_TOOL)"
measure stream /api/agents/assistant/stream "$(user hello)"
measure stream-500-deltas /api/agents/assistant/stream "$(user USE_LONG)"
measure workflow-10-steps /api/workflows/echo-chain/start-async '{"inputData":{"message":"x"}}'
measure workflow-fan-out /api/workflows/fan-out/start-async '{"inputData":{"message":"x"}}'
echo "afterwards $(ps -o rss= -p $server) KiB"
