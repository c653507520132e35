// The page of `mastra dev`: chat with an agent, approve its tools, look at traces. Everything is shown as text.
const $ = id => document.getElementById(id);
const show = (kind, text) => {
  $('hello')?.remove();
  const line = document.createElement('li');
  line.className = kind;
  line.textContent = text;
  $('log').append(line);
  line.scrollIntoView({ block: 'end' });
  return line;
};
const get = async path => (await fetch(`api${path}`)).json();
const fresh = () => {
  $('thread').value = crypto.randomUUID();
  $('log').replaceChildren();
  show('hello', 'A new thread. Say something to the agent.').id = 'hello';
  $('text').focus();
};

// One run at a time: while it goes on nothing can be sent, and a failure is shown where its answer would be.
async function ask(path, body) {
  $('send').disabled = true;
  try {
    await stream(path, body);
  } catch (error) {
    show('error', `The connection broke: ${error.message}`);
  } finally {
    $('send').disabled = false;
  }
  traces();
  setTimeout(traces, 1000); // spans are written in groups, a moment after the run
}

async function stream(path, body) {
  const response = await fetch(`api/agents/${$('agent').value}/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    return show('error', told.error ?? `The server answered ${response.status}.`);
  }
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
      if (chunk.type === 'text-delta') {
        (answer ??= show('assistant', '')).textContent += payload.text;
        answer.scrollIntoView({ block: 'end' });
      }
      if (chunk.type === 'tool-call') { show('tool', `${payload.toolName} ${JSON.stringify(payload.args)}`); answer = null; }
      if (chunk.type === 'tool-result') show('tool', `→ ${JSON.stringify(payload.result)}`);
      if (chunk.type === 'tool-call-approval') approve(chunk);
      if (chunk.type === 'error') show('error', payload.error?.message ?? 'error');
    }
  }
}
function approve({ runId, payload }) {
  const line = show('tool', `May ${payload.toolName} run with ${JSON.stringify(payload.args)}?`);
  line.classList.add('question');
  for (const [word, path] of [['Yes', 'approve-tool-call'], ['No', 'decline-tool-call']]) {
    const button = document.createElement('button');
    button.textContent = word;
    button.onclick = () => { line.querySelectorAll('button').forEach(one => one.remove()); line.append(` ${word}.`); ask(path, { runId, toolCallId: payload.toolCallId }); };
    line.append(button);
  }
}
async function traces() {
  const { spans } = await get('/observability/traces?perPage=20');
  $('traces').replaceChildren(...(spans ?? []).map(span => {
    const line = document.createElement('li'), button = document.createElement('button');
    const took = span.endedAt ? `${new Date(span.endedAt) - new Date(span.startedAt)} ms` : 'running';
    const facts = document.createElement('small');
    facts.textContent = `${took} · ${span.status}`;
    facts.className = span.status;
    button.append(span.name, facts);
    button.onclick = async () => {
      document.querySelectorAll('#traces button').forEach(one => one.removeAttribute('aria-current'));
      button.setAttribute('aria-current', 'true');
      waterfall((await get(`/observability/traces/${span.traceId}/light`)).spans);
    };
    line.append(button);
    return line;
  }));
}
// One line a span: its name under that of its parent, and a bar from when it began to when it ended.
function waterfall(spans) {
  const known = new Set(spans.map(one => one.spanId));
  const above = one => (known.has(one.parentSpanId) ? one.parentSpanId : null);
  const below = (id, depth) => spans.filter(one => above(one) === id)
    .flatMap(one => [[one, depth], ...below(one.spanId, depth + 1)]);
  const begin = one => +new Date(one.startedAt), end = one => +new Date(one.endedAt ?? Date.now());
  const first = Math.min(...spans.map(begin)), whole = Math.max(1, Math.max(...spans.map(end)) - first);
  $('detail').replaceChildren(...below(null, 0).map(([one, depth]) => {
    const line = document.createElement('li'), name = document.createElement('span');
    const facts = document.createElement('small'), bar = document.createElement('i');
    name.textContent = name.title = one.name.replace(/\s+/g, ' ');
    name.style.paddingLeft = `${depth * .8}rem`;
    facts.textContent = one.status === 'success' ? `${end(one) - begin(one)} ms` : one.status;
    bar.className = `${one.spanType} ${one.status}`;
    bar.style.marginLeft = `${(begin(one) - first) / whole * 100}%`;
    bar.style.width = `${Math.max(1, (end(one) - begin(one)) / whole * 100)}%`;
    line.append(name, facts, bar);
    return line;
  }));
}
$('fresh').onclick = fresh;
$('ask').onsubmit = event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text || $('send').disabled) return;
  $('text').value = '';
  show('user', text);
  ask('stream', { messages: text, memory: { thread: $('thread').value, resource: 'dev' } });
};
(async () => {
  fresh();
  for (const [id, agent] of Object.entries(await get('/agents'))) $('agent').append(new Option(agent.name, id));
  const workflows = Object.keys(await get('/workflows?partial=true'));
  $('none').hidden = workflows.length > 0;
  if (!$('agent').length) {
    show('error', 'This application has no agent.');
    $('send').disabled = true;
  }
  for (const id of workflows) {
    const line = document.createElement('li');
    line.textContent = id;
    $('workflows').append(line);
  }
  $('off').hidden = (await get('/system/packages')).observabilityEnabled;
  traces();
})();
