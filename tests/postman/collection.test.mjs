// The collection of a running Keyfob (BASE_URL, http://127.0.0.1:8000) with an empty database: it is whole, it runs, and
// Bruno and Insomnia take it in. The tests stand in order; all work on the same service.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { postmanToBruno } from '@usebruno/converters';
import { convert as importIntoInsomnia } from 'insomnia-importers';
import newman from 'newman';
import sdk from 'postman-collection';

const BASE_URL = process.env.BASE_URL || 'http://127.0.0.1:8000';
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

let collection;
let requests;
let operations;

before(async () => {
  const fetchJson = async (path) => {
    const answer = await fetch(BASE_URL + path);
    assert.equal(answer.status, 200, path);
    assert.match(answer.headers.get('content-type'), /^application\/json/, path);
    return answer.json();
  };
  collection = await fetchJson('/postman.json');
  requests = collection.item.flatMap((folder) => folder.item.map((item) => ({ folder: folder.name, ...item })));
  const { paths } = await fetchJson('/openapi.json');
  operations = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, method: method.toUpperCase(), ...item[method] })));
});

/** `GET /posts/{id}`, as the document writes it. */
const nameOf = ({ request }) =>
  `${request.method} /${request.url.path.map((part) => (part.startsWith(':') ? `{${part.slice(1)}}` : part)).join('/')}`;

test('every operation of the document is there, in the folder of its tag unless the run must begin or end with it', () => {
  const framing = new Set(['First steps', 'Last steps']);
  for (const { method, path, tags } of operations) {
    const found = requests.filter((request) => nameOf(request) === `${method} ${path}`);
    assert.ok(found.length > 0, `${method} ${path} is missing`);
    assert.ok(found.some(({ folder }) => tags.includes(folder) || framing.has(folder)), `${method} ${path} is elsewhere`);
  }
  const names = operations.map(({ method, path }) => `${method} ${path}`);
  for (const request of requests) assert.ok(names.includes(nameOf(request)), `${request.name} is no operation`);
});

test('what is public sends no token, and the rest takes the one of the collection', () => {
  for (const item of requests) {
    const operation = operations.find(({ method, path }) => nameOf(item) === `${method} ${path}`);
    const isPublic = operation.security.length === 0;
    assert.equal(item.request.auth?.type, isPublic ? 'noauth' : undefined, item.name);
  }
  const auth = Object.fromEntries(collection.auth.oauth2.map(({ key, value }) => [key, value]));
  assert.equal(auth.grant_type, 'password_credentials');
  assert.equal(auth.accessTokenUrl, '{{baseUrl}}/login');
  assert.equal(auth.refreshTokenUrl, '{{baseUrl}}/login');
  assert.equal(auth.accessToken, '{{access_token}}');
});

test('every variable that is used is defined', () => {
  const known = new Set(collection.variable.map(({ key }) => key));
  const used = [...JSON.stringify(collection).matchAll(/\{\{([^{}]+)\}\}/g)].map(([, name]) => name);
  assert.ok(used.includes('baseUrl'));
  assert.deepEqual(used.filter((name) => !known.has(name)), []);
});

/** Runs a collection as `newman run --env-var baseUrl=…` does. */
function run(which, variables = {}) {
  const envVar = Object.entries({ baseUrl: BASE_URL, ...variables }).map(([key, value]) => ({ key, value }));
  const options = { collection: which, envVar, timeoutRequest: 10_000 };
  return new Promise((resolve, reject) => {
    newman.run(options, (error, summary) => (error ? reject(error) : resolve(summary.run)));
  });
}

for (const which of ['the first', 'a second']) {
  test(`newman runs it without a failure from the first request to the last, ${which} time`, async () => {
    const { failures, executions } = await run(collection);
    assert.deepEqual(failures.map(({ source, error }) => `${source?.name}: ${error.message}`), []);
    assert.deepEqual(executions.map(({ item }) => item.name), requests.map(({ name }) => name));
    for (const { item, assertions } of executions) assert.ok(assertions?.length > 0, `${item.name} is not tested`);
  });
}

test('newman runs it for an admin, whose routes then succeed and leave the own account alone', async () => {
  const admins = structuredClone(collection);
  const framing = ['Sign up', 'Delete the current user'];
  for (const folder of admins.item) folder.item = folder.item.filter(({ name }) => !framing.includes(name));
  const { failures, executions } = await run(admins, { username: process.env.ADMIN_EMAIL });
  assert.deepEqual(failures.map(({ source, error }) => `${source?.name}: ${error.message}`), []);
  const status = (name) => executions.find(({ item }) => item.name === name)?.response.code;
  assert.deepEqual(['Create an account', 'Update an account', 'Delete an account'].map(status), [201, 200, 204]);
});

test('its tests can fail: without an account the log-in does, and so does what needs a token', async () => {
  const without = structuredClone(collection);
  for (const folder of without.item) folder.item = folder.item.filter(({ name }) => name !== 'Sign up');
  const { failures } = await run(without);
  const names = new Set(failures.map(({ source }) => source.name));
  for (const name of ['Log in', 'Create a post']) assert.ok(names.has(name), `${name} did not fail: ${[...names]}`);
  assert.ok(!names.has('List posts'), 'what anyone may read failed too');
});

test("Postman's own library reads it back with nothing lost", () => {
  const read = new sdk.Collection(collection);
  const items = [];
  read.forEachItem((item) => items.push(item));
  assert.deepEqual(items.map(({ name }) => name), requests.map(({ name }) => name));
  assert.equal(read.auth.type, 'oauth2');
  for (const [at, item] of items.entries()) {
    assert.equal(item.request.method, requests[at].request.method);
    assert.deepEqual(item.request.url.path, requests[at].request.url.path, item.name);
    assert.deepEqual(item.request.body?.raw, requests[at].request.body?.raw, item.name);
    assert.equal(item.events.count(), 1, item.name);
  }
});

test('Bruno imports it: folders, requests, password grant, variables and scripts', async () => {
  const bruno = await postmanToBruno(structuredClone(collection));
  const { collection: imported = bruno } = bruno;
  assert.deepEqual(imported.items.map(({ name }) => name), collection.item.map(({ name }) => name));
  const items = imported.items.flatMap(({ items: own }) => own);
  assert.deepEqual(items.map(({ name }) => name), requests.map(({ name }) => name));
  for (const item of items) assert.match(JSON.stringify(item.request), /expect|test\(/, `${item.name} has lost its test`);
  const { auth, vars } = imported.root.request;
  assert.equal(auth.mode, 'oauth2');
  assert.equal(auth.oauth2.grantType, 'password');
  assert.equal(auth.oauth2.accessTokenUrl, '{{baseUrl}}/login');
  assert.ok(vars.req.some(({ name, value }) => name === 'baseUrl' && value === collection.variable[0].value));
});

test('Insomnia imports it: folders, requests and their bodies', async () => {
  const { type, data } = await importIntoInsomnia(JSON.stringify(collection));
  assert.equal(type.id, 'postman');
  const names = (kind) => data.resources.filter(({ _type }) => _type === kind).map(({ name }) => name);
  assert.deepEqual(names('request').sort(), requests.map(({ name }) => name).sort());
  for (const { name } of collection.item) assert.ok(names('request_group').includes(name), name);
  const signUp = data.resources.find(({ name }) => name === 'Sign up');
  assert.equal(signUp.method, 'POST');
  assert.equal(JSON.parse(signUp.body.text).email.replaceAll(/[ _.]/g, ''), '{{username}}');
});
