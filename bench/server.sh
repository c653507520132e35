#!/usr/bin/env bash
# Requests a second of one server process, SQLite storage, 16 connections of wrk, the server on a core of its own.
#   MOCK_LLM_URL=http://127.0.0.1:4900/v1 [PEER_URL=http://127.0.0.1:4311] bench/server.sh [SECONDS] [SCENARIO]
# MOCK_LLM_URL is any OpenAI-compatible server that answers at once: a message with USE_TOOL gets a call of get_weather,
# one with USE_LONG a stream of 500 deltas, any other a short text. PEER_URL is a Node server of Mastra with the agent
# `assistant` and the workflows `echo-chain` and `fan-out` of server_app.py, pinned to the same core; both are measured
# in turn, scenario by scenario.
set -eu
: "${MOCK_LLM_URL:?an OpenAI-compatible server that answers at once}"
cd "$(dirname "$0")"
seconds=${1:-8} only=${2:-}
folder=$(mktemp -d)
export DB="sqlite:///$folder/bench.db"
began=$(date +%s%N)
PORT=4411 taskset -c 0 mastra start server_app.py:mastra >"$folder/log" 2>&1 &
server=$!
trap 'kill $server; wait $server 2>/dev/null || true; rm -rf "$folder"' EXIT
until curl -fs -o /dev/null 127.0.0.1:4411/readyz; do sleep 0.02; done
echo "ready after $((($(date +%s%N) - began) / 1000000)) ms, $(ps -o rss= -p $server) KiB"
cat >"$folder/post.lua" <<'LUA'
wrk.method, wrk.body = "POST", os.getenv("BODY")
wrk.headers["Content-Type"] = "application/json"
done = function(summary, latency)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout + summary.errors.status
  io.write(string.format("RESULT %.1f %.1f %d\n", summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1000, bad))
end
LUA
rate() { # base path seconds
  wrk -t1 -c16 -d"$3s" --timeout 20s -s "$folder/post.lua" "$1$2" | sed -n 's/^RESULT //p'
}
measure() { # name path body
  [ -z "$only" ] || [ "$only" = "$1" ] || return 0
  export BODY=$3
  rate http://127.0.0.1:4411 "$2" 1 >/dev/null
  read -r ours p99 bad < <(rate http://127.0.0.1:4411 "$2" "$seconds")
  line="$1: $ours/s, p99 $p99 ms, $bad failed"
  if [ -n "${PEER_URL:-}" ]; then
    rate "$PEER_URL" "$2" 1 >/dev/null
    read -r theirs theirs_p99 theirs_bad < <(rate "$PEER_URL" "$2" "$seconds")
    line="$line; peer $theirs/s, p99 $theirs_p99 ms, $theirs_bad failed; $(awk "BEGIN {printf \"%.1fx\", $ours / $theirs}")"
  fi
  echo "$line"
}
user() { echo "{\"messages\":[{\"role\":\"user\",\"content\":\"$1\"}]}"; }
measure generate /api/agents/assistant/generate "$(user hello)"
measure generate-tool /api/agents/assistant/generate "$(user 'USE_TOOL what is the weather in Paris?')"
measure stream /api/agents/assistant/stream "$(user hello)"
measure stream-500-deltas /api/agents/assistant/stream "$(user USE_LONG)"
measure workflow-10-steps /api/workflows/echo-chain/start-async '{"inputData":{"message":"x"}}'
measure workflow-fan-out /api/workflows/fan-out/start-async '{"inputData":{"message":"x"}}'
echo "afterwards $(ps -o rss= -p $server) KiB"
