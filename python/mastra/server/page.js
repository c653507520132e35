// The page of `mastra dev`: chat with an agent, approve its tools, look at traces. Everything is shown as text.
const $ = id => document.getElementById(id);
const show = (kind, text) => {
  const line = document.createElement('li');
  line.className = kind;
  line.textContent = text;
  $('log').append(line);
  line.scrollIntoView({ block: 'end' });
  return line;
};
const get = async path => (await fetch(`api${path}`)).json();
const fresh = () => { $('thread').value = crypto.randomUUID(); $('log').replaceChildren(); };

async function stream(path, body) {
  const response = await fetch(`api/agents/${$('agent').value}/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  if (!response.ok) return show('error', (await response.json()).error);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '', answer = null;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      if (!block.startsWith('data: {')) continue;
      const chunk = JSON.parse(block.slice(6));
      const payload = chunk.payload ?? {};
      if (chunk.type === 'text-delta') (answer ??= show('assistant', '')).textContent += payload.text;
      if (chunk.type === 'tool-call') { show('tool', `${payload.toolName} ${JSON.stringify(payload.args)}`); answer = null; }
      if (chunk.type === 'tool-result') show('tool', `→ ${JSON.stringify(payload.result)}`);
      if (chunk.type === 'tool-call-approval') approve(chunk);
      if (chunk.type === 'error') show('error', payload.error?.message ?? 'error');
    }
  }
  traces();
}
function approve({ runId, payload }) {
  const line = show('tool', `May ${payload.toolName} run with ${JSON.stringify(payload.args)}? `);
  for (const [word, path] of [['Yes', 'approve-tool-call'], ['No', 'decline-tool-call']]) {
    const button = document.createElement('button');
    button.textContent = word;
    button.onclick = () => { line.querySelectorAll('button').forEach(one => one.remove()); stream(path, { runId, toolCallId: payload.toolCallId }); };
    line.append(button);
  }
}
async function traces() {
  const { spans } = await get('/observability/traces?perPage=20');
  $('traces').replaceChildren(...spans.map(span => {
    const line = document.createElement('li'), button = document.createElement('button');
    const took = span.endedAt ? `${new Date(span.endedAt) - new Date(span.startedAt)} ms` : 'running';
    button.textContent = `${span.name} · ${took} · ${span.status}`;
    button.onclick = async () => {
      const trace = await get(`/observability/traces/${span.traceId}/light`);
      $('detail').textContent = trace.spans.map(one => `${one.parentSpanId ? '  ' : ''}${one.spanType} ${one.name} ${one.status}`).join('\n');
    };
    line.append(button);
    return line;
  }));
}
$('fresh').onclick = fresh;
$('ask').onsubmit = event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text) return;
  $('text').value = '';
  show('user', text);
  stream('stream', { messages: text, memory: { thread: $('thread').value, resource: 'dev' } });
};
(async () => {
  fresh();
  for (const [id, agent] of Object.entries(await get('/agents'))) $('agent').append(new Option(agent.name, id));
  for (const id of Object.keys(await get('/workflows?partial=true'))) {
    const line = document.createElement('li');
    line.textContent = id;
    $('workflows').append(line);
  }
  $('off').hidden = (await get('/system/packages')).observabilityEnabled;
  traces();
})();
