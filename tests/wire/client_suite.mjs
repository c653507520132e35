// Drives a server with the unmodified npm client and prints one JSON line per check: {name, ok, detail?}.
// usage: node client_suite.mjs BASE_URL [TOKEN]   (run it where @mastra/client-js is installed)
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
const { MastraClient } = createRequire(process.cwd() + '/')('@mastra/client-js');

const [baseUrl, token] = process.argv.slice(2);
const headers = token ? { Authorization: `Bearer ${token}` } : {};
const client = new MastraClient({ baseUrl, headers, retries: 0 });
const quiet = () => {};
console.error = quiet; // the client logs complaints of its own about resumed tool calls

async function check(name, work) {
  try {
    await work();
    console.log(JSON.stringify({ name, ok: true }));
  } catch (error) {
    console.log(JSON.stringify({ name, ok: false, detail: String(error?.stack ?? error).slice(0, 1200) }));
  }
}
async function chunksOf(response) {
  const chunks = [];
  await response.processDataStream({ onChunk: async chunk => { chunks.push(chunk); } });
  return chunks;
}
const typesOf = chunks => chunks.map(chunk => chunk.type);
async function failure(work) {
  try { await work(); } catch (error) { return error; }
  throw new Error('it did not fail');
}
const id = prefix => `${prefix}-${Math.random().toString(36).slice(2, 10)}`;
const assistant = client.getAgent('assistant');
const guarded = client.getAgent('guarded');

await check('lists agents', async () => {
  const agents = await client.listAgents();
  assert.deepEqual(Object.keys(agents).sort(), ['assistant', 'guarded']);
  assert.equal(agents.assistant.tools.get_weather.id, 'get_weather');
});
await check('reads an agent', async () => {
  const details = await assistant.details();
  assert.equal(details.instructions, 'You are a helpful assistant.');
});
await check('generates text', async () => {
  const result = await assistant.generate('Hello');
  assert.equal(result.text, 'Hello from the mock model.');
  assert.equal(result.finishReason, 'stop');
  assert.equal(result.usage.totalTokens, 15);
});
await check('generates with a tool', async () => {
  const result = await assistant.generate('what is the weather?');
  assert.equal(result.text, 'It is 21 degrees and sunny in Paris.');
  assert.equal(result.toolCalls[0].payload.toolName, 'get_weather');
  assert.equal(result.toolResults[0].payload.result.tempC, 21);
});
await check('streams text', async () => {
  const chunks = await chunksOf(await assistant.stream('Hello'));
  assert.deepEqual([...new Set(typesOf(chunks))], ['start', 'step-start', 'text-start', 'text-delta', 'text-end', 'step-finish', 'finish']);
  const text = chunks.filter(chunk => chunk.type === 'text-delta').map(chunk => chunk.payload.text).join('');
  assert.equal(text, 'Hello from the mock model.');
});
await check('streams a tool call', async () => {
  const types = typesOf(await chunksOf(await assistant.stream('weather')));
  for (const type of ['tool-call', 'tool-result', 'finish']) assert.ok(types.includes(type), type);
});
await check('runs a client tool and goes on', async () => {
  let ran = 0;
  const set_color = {
    id: 'set_color', description: 'Set the color',
    inputSchema: { type: 'object', properties: { color: { type: 'string' } }, required: ['color'] },
    execute: async () => { ran += 1; return { done: true }; },
  };
  const result = await assistant.generate('color please', { clientTools: { set_color } });
  assert.equal(ran, 1);
  assert.equal(result.text, 'It is 21 degrees and sunny in Paris.');
});
await check('streams a client tool and goes on', async () => {
  let ran = 0;
  const set_color = {
    id: 'set_color', description: 'Set the color',
    inputSchema: { type: 'object', properties: { color: { type: 'string' } }, required: ['color'] },
    execute: async () => { ran += 1; return { done: true }; },
  };
  const types = typesOf(await chunksOf(await assistant.stream('color please', { clientTools: { set_color } })));
  assert.equal(ran, 1);
  assert.ok(types.includes('text-delta'));
});
await check('answers with an object', async () => {
  const error = await failure(() => assistant.generate('Hello', { structuredOutput: { schema: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] } } }));
  assert.ok(error.status >= 400, 'a text that is no object is an error, never a success');
});
await check('reports a model failure', async () => {
  const error = await failure(() => assistant.generate('fail-please'));
  assert.equal(error.status, 500);
  assert.match(error.message, /mock model failure/);
});
await check('streams a model failure', async () => {
  const types = typesOf(await chunksOf(await assistant.stream('fail-please')));
  assert.ok(types.includes('error'));
});
await check('reports an unknown agent', async () => {
  const error = await failure(() => client.getAgent('nope').generate('x'));
  assert.equal(error.status, 404);
  assert.deepEqual(error.body, { error: 'Agent with id nope not found' });
});
await check('stops a stream', async () => {
  const controller = new AbortController();
  const stopping = new MastraClient({ baseUrl, headers, retries: 0, abortSignal: controller.signal });
  const response = await stopping.getAgent('assistant').stream('slowly please');
  let count = 0;
  await failure(async () => {
    await response.processDataStream({ onChunk: async () => { count += 1; if (count === 4) controller.abort(); } });
    throw new Error('aborted');
  });
  assert.ok(count < 12);
});
await check('approves a tool call of a stream', async () => {
  const memory = { thread: id('ap'), resource: 'user-1' };
  const response = await guarded.stream('the secret record', { memory });
  const chunks = await chunksOf(response);
  const asked = chunks.find(chunk => chunk.type === 'tool-call-approval');
  assert.ok(asked, 'asks for approval');
  const waiting = await guarded.listSuspendedRuns({ threadId: memory.thread, resourceId: 'user-1' });
  assert.equal(waiting.total, 1);
  const types = typesOf(await chunksOf(await guarded.approveToolCall({ runId: asked.runId, toolCallId: asked.payload.toolCallId })));
  assert.ok(types.includes('tool-result') && types.includes('finish'), types.join());
});
await check('declines a tool call', async () => {
  const result = await guarded.generate('the secret record');
  assert.equal(result.finishReason, 'suspended');
  const done = await guarded.declineToolCallGenerate({ runId: result.runId, toolCallId: result.suspendPayload.toolCallId });
  assert.equal(done.finishReason, 'stop');
});
await check('approves once', async () => {
  const result = await guarded.generate('the secret record');
  const answer = { runId: result.runId, toolCallId: result.suspendPayload.toolCallId };
  await guarded.approveToolCallGenerate(answer);
  const error = await failure(() => guarded.approveToolCallGenerate(answer));
  assert.ok(error.status >= 400 && error.status < 500, String(error.status));
});
await check('resumes a tool that waits', async () => {
  const asked = (await chunksOf(await guarded.stream('ask a human'))).find(chunk => chunk.type === 'tool-call-suspended');
  assert.equal(asked.payload.suspendPayload.question, 'may I?');
  const types = typesOf(await chunksOf(await guarded.resumeStream({ approved: true }, { runId: asked.runId, toolCallId: asked.payload.toolCallId })));
  assert.ok(types.includes('finish'), types.join());
});
await check('lists, reads and runs tools', async () => {
  assert.ok('get_weather' in (await client.listTools()));
  const tool = client.getTool('get_weather');
  assert.equal((await tool.details()).id, 'get_weather');
  assert.deepEqual(await tool.execute({ data: { city: 'Oslo' } }), { city: 'Oslo', tempC: 21, conditions: 'sunny' });
  assert.equal((await tool.execute({ data: {} })).error, true);
  assert.equal((await assistant.executeTool('get_weather', { data: { city: 'Rome' } })).city, 'Rome');
  assert.equal((await assistant.getTool('get_weather')).id, 'get_weather');
  assert.equal((await failure(() => client.getTool('nope').details())).status, 404);
});
await check('keeps a conversation', async () => {
  const threadId = id('thread');
  const thread = await client.createMemoryThread({ agentId: 'assistant', resourceId: 'user-1', threadId, title: 'T1', metadata: { k: 'v' } });
  assert.equal(thread.id, threadId);
  await assistant.generate('Hello', { memory: { thread: threadId, resource: 'user-1' } });
  const page = await client.listThreadMessages(threadId, { agentId: 'assistant' });
  assert.deepEqual(page.messages.map(message => message.role), ['user', 'assistant']);
  const mine = await client.listMemoryThreads({ agentId: 'assistant', resourceId: 'user-1' });
  assert.ok(mine.threads.some(one => one.id === threadId));
  const memory = client.getMemoryThread({ threadId, agentId: 'assistant' });
  assert.equal((await memory.update({ title: 'renamed', metadata: { k: 'v2' }, resourceId: 'user-1' })).title, 'renamed');
  assert.equal((await memory.get()).metadata.k, 'v2');
  const copy = await memory.clone({ newThreadId: id('copy'), title: 'Clone' });
  assert.equal(copy.clonedMessages.length, 2);
  const found = await client.searchMemory({ agentId: 'assistant', resourceId: 'user-1', threadId, searchQuery: 'mock' });
  assert.equal(found.count >= 1, true);
  await memory.deleteMessages([page.messages[0].id]);
  assert.equal((await memory.listMessages()).messages.length, 1);
  await memory.delete();
  assert.equal((await failure(() => memory.get())).status, 404);
});
await check('lists and reads workflows', async () => {
  const workflows = await client.listWorkflows();
  assert.deepEqual(Object.keys(workflows).sort(), ['approval-flow', 'echo-chain', 'failing', 'fan-out']);
  const details = await client.getWorkflow('echo-chain').details();
  assert.equal(Object.keys(details.steps).length, 10);
  assert.equal((await failure(() => client.getWorkflow('nope').details())).status, 404);
});
await check('runs a workflow', async () => {
  const run = await client.getWorkflow('echo-chain').createRun();
  const result = await run.startAsync({ inputData: { message: 'hi' } });
  assert.equal(result.status, 'success');
  assert.deepEqual(result.result, { message: 'hi' });
  const stored = await client.getWorkflow('echo-chain').runById(run.runId);
  assert.equal(stored.status, 'success');
});
await check('refuses a wrong input', async () => {
  const run = await client.getWorkflow('echo-chain').createRun();
  const error = await failure(() => run.startAsync({ inputData: { message: 5 } }));
  assert.equal(error.status, 400);
});
await check('streams a workflow', async () => {
  const run = await client.getWorkflow('echo-chain').createRun();
  const stream = await run.stream({ inputData: { message: 'hi' } });
  const types = [];
  for await (const chunk of stream) types.push(chunk.type);
  assert.equal(types[0], 'workflow-start');
  assert.equal(types.at(-1), 'workflow-finish');
  assert.equal(types.filter(type => type === 'workflow-step-result').length, 10);
  const again = [];
  for await (const chunk of await run.observeStream()) again.push(chunk.type);
  assert.deepEqual(again, types);
});
await check('suspends and resumes a workflow', async () => {
  const run = await client.getWorkflow('approval-flow').createRun();
  const first = await run.startAsync({ inputData: { amount: 10 } });
  assert.equal(first.status, 'suspended');
  assert.deepEqual(first.suspended, [['ask-approval']]);
  const wrong = await failure(() => run.resumeAsync({ step: 'ask-approval', resumeData: { approved: 'maybe' } }));
  assert.equal(wrong.status, 400);
  const done = await run.resumeAsync({ step: 'ask-approval', resumeData: { approved: true } });
  assert.deepEqual(done.result, { status: 'paid' });
  const late = await failure(() => run.resumeAsync({ step: 'ask-approval', resumeData: { approved: true } }));
  assert.equal(late.status, 500);
  assert.match(late.message, /was not suspended/);
});
await check('resumes a workflow as a stream', async () => {
  const run = await client.getWorkflow('approval-flow').createRun();
  await run.startAsync({ inputData: { amount: 10 } });
  const types = [];
  for await (const chunk of await run.resumeStream({ step: 'ask-approval', resumeData: { approved: false } })) types.push(chunk.type);
  assert.equal(types.at(-1), 'workflow-finish');
});
await check('travels in time', async () => {
  const run = await client.getWorkflow('echo-chain').createRun();
  await run.startAsync({ inputData: { message: 'hi' } });
  const result = await run.timeTravelAsync({ step: 'echo-8', inputData: { message: 'travelled' } });
  assert.deepEqual(result.result, { message: 'travelled' });
});
await check('reports a failed step', async () => {
  const run = await client.getWorkflow('failing').createRun();
  const result = await run.startAsync({ inputData: { message: 'x' } });
  assert.equal(result.status, 'failed');
  assert.match(result.error.message, /step exploded/);
});
await check('cancels, lists, counts and deletes runs', async () => {
  const workflow = client.getWorkflow('approval-flow');
  const run = await workflow.createRun();
  await run.startAsync({ inputData: { amount: 1 } });
  assert.ok((await client.listWorkflowRunCounts())['approval-flow'].suspended >= 1);
  assert.ok((await workflow.runs({ status: 'suspended' })).total >= 1);
  await run.cancel();
  assert.equal((await workflow.runById(run.runId)).status, 'canceled');
  await workflow.deleteRunById(run.runId);
  assert.equal((await failure(() => workflow.runById(run.runId))).status, 404);
});
await check('searches vectors', async () => {
  const vector = client.getVector('main');
  const indexName = `idx${Math.random().toString(36).slice(2, 8)}`;
  await vector.createIndex({ indexName, dimension: 4, metric: 'cosine' });
  assert.ok((await vector.getIndexes()).includes(indexName));
  const made = await vector.upsert({ indexName, vectors: [[1, 0, 0, 0], [0, 1, 0, 0]], metadata: [{ t: 'a', n: 1 }, { t: 'b', n: 2 }], ids: ['v1', 'v2'] });
  assert.deepEqual(made, { ids: ['v1', 'v2'] });
  const found = await vector.query({ indexName, queryVector: [1, 0, 0, 0], topK: 2, includeVector: true });
  assert.deepEqual(found.map(match => match.id), ['v1', 'v2']);
  assert.deepEqual(found[0].vector, [1, 0, 0, 0]);
  const filtered = await vector.query({ indexName, queryVector: [1, 0, 0, 0], topK: 2, filter: { n: { $gt: 1 } } });
  assert.deepEqual(filtered.map(match => match.id), ['v2']);
  assert.equal((await vector.details(indexName)).count, 2);
  await vector.delete(indexName);
  assert.equal((await failure(() => client.getVector('nope').getIndexes())).status, 404);
});
await check('reads the system', async () => {
  assert.equal((await client.getSystemPackages()).isDev, false);
  assert.deepEqual(await client.listLogTransports(), { transports: [] });
  assert.deepEqual(await client.listScorers(), {});
});
await check('answers for what is not configured', async () => {
  assert.deepEqual((await client.listStoredAgents()).agents, []);
  assert.deepEqual((await client.getMcpServers()).servers, []);
});
