#!/usr/bin/env bash
# The memory of one server process over many requests: what it holds after a tenth of them, and at the end.
#   MOCK_LLM_URL=http://127.0.0.1:4900/v1 bench/soak.sh [REQUESTS]
# MOCK_LLM_URL is any OpenAI-compatible server that answers at once. Storage is SQLite, 16 connections ask.
set -eu
: "${MOCK_LLM_URL:?an OpenAI-compatible server that answers at once}"
cd "$(dirname "$0")"
wanted=${1:-100000}
folder=$(mktemp -d)
export DB="sqlite:///$folder/bench.db"
PORT=4412 mastra start server_app.py:mastra >"$folder/log" 2>&1 &
server=$!
trap 'kill $server; wait $server 2>/dev/null || true; rm -rf "$folder"' EXIT
until curl -fs -o /dev/null 127.0.0.1:4412/readyz; do sleep 0.02; done
cat >"$folder/post.lua" <<'LUA'
wrk.method, wrk.body = "POST", '{"messages":[{"role":"user","content":"hello"}]}'
wrk.headers["Content-Type"] = "application/json"
done = function(summary)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout + summary.errors.status
  io.write(string.format("RESULT %d %d\n", summary.requests, bad))
end
LUA
resident() { ps -o rss= -p $server | tr -d ' '; }
done=0 failed=0 tenth=""
echo "idle: $(resident) KiB"
while [ "$done" -lt "$wanted" ]; do
  read -r count bad < <(wrk -t1 -c16 -d2s --timeout 20s -s "$folder/post.lua" http://127.0.0.1:4412/api/agents/assistant/generate | sed -n 's/^RESULT //p')
  done=$((done + count)) failed=$((failed + bad))
  if [ -z "$tenth" ] && [ $((done * 10)) -ge "$wanted" ]; then
    tenth=$(resident)
    echo "after $done: $tenth KiB"
  fi
done
last=$(resident)
echo "after $done: $last KiB, $failed failed; growth over the rest: $(awk "BEGIN {printf \"%.2f\", 100 * ($last - $tenth) / $tenth}") %"
