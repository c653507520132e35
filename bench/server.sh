#!/usr/bin/env bash
# Requests a second of one server process, SQLite storage, 16 connections of wrk, the server on a core of its own.
#   MOCK_LLM_URL=http://127.0.0.1:4900/v1 [PEER='node app/.mastra/output/index.mjs'] bench/server.sh [SECONDS] [SCENARIO]
# MOCK_LLM_URL is any OpenAI-compatible server that answers at once: a message with USE_TOOL gets a call of get_weather,
# one with USE_LONG a stream of 500 deltas, any other a short text. PEER is the command of a Node server of Mastra (a folder
# that `mastra build` wrote) with the agent `assistant` and the workflows `echo-chain` and `fan-out` of server_app.py; it
# finds its port in PORT and its file in MASTRA_DB_URL, and is pinned to the same core. Both are measured in turn,
# scenario by scenario.
set -eu
: "${MOCK_LLM_URL:?an OpenAI-compatible server that answers at once}"
cd "$(dirname "$0")"
seconds=${1:-8} only=${2:-}
folder=$(mktemp -d)
export DB="sqlite:///$folder/bench.db"
resident() { ps -o rss= -p "$1" | awk '{printf "%.1f MB", $1 / 1024}'; }
begin() { # port path command...: starts a server, says how long it took, sets `began`
  local port=$1 path=$2 start
  shift 2
  start=$(date +%s%N)
  PORT=$port taskset -c 0 "$@" >"$folder/log.$port" 2>&1 &
  began=$!
  until curl -fs -o /dev/null "127.0.0.1:$port$path"; do sleep 0.02; done
  echo "ready after $((($(date +%s%N) - start) / 1000000)) ms, $(resident $began)"
}
servers=()
trap 'kill "${servers[@]}"; wait "${servers[@]}" 2>/dev/null || true; rm -rf "$folder"' EXIT
begin 4411 /readyz mastra start server_app.py:mastra
server=$began servers+=("$began")
if [ -n "${PEER:-}" ]; then
  export MASTRA_DB_URL="file:$folder/peer.db" MASTRA_VECTOR_URL="file:$folder/vectors.db" MASTRA_HOST=127.0.0.1 LOG_LEVEL=warn
  export NODE_ENV=production MASTRA_TELEMETRY_DISABLED=1 MASTRA_SKIP_DOTENV=1
  echo -n "peer: "
  # shellcheck disable=SC2086 - a command with its arguments
  begin 4311 /health $PEER
  peer=$began servers+=("$began")
fi
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
  if [ -n "${PEER:-}" ]; then
    rate http://127.0.0.1:4311 "$2" 1 >/dev/null
    read -r theirs theirs_p99 theirs_bad < <(rate http://127.0.0.1:4311 "$2" "$seconds")
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
echo "afterwards $(resident $server)${PEER:+; peer $(resident $peer)}"
