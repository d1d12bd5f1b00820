// Keyfob behind nginx: what HTTP clients see, and /docs in Chromium. run.sh starts both and sets
//   BASE_URL             the service as the world sees it, by TLS, with the prefix if there is one
//   SERVICE_PORT         where the service itself listens, by plain HTTP
//   BINARY               the command
//   NODE_EXTRA_CA_CERTS  who signed nginx's certificate, as SSL_CERT_FILE for the binary
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const { chromium } = createRequire(new URL('../browser/package.json', import.meta.url))('playwright-core');

const { BASE_URL, SERVICE_PORT, BINARY } = process.env;
const ORIGIN = new URL(BASE_URL).origin;
const PREFIX = new URL(BASE_URL).pathname.replace(/\/$/, '');
const PASSWORD = 'violet otter & 92+é%=;';

function send(path, options = {}) {
  return fetch(BASE_URL + path, { redirect: 'manual', ...options });
}

function sendJson(path, body, headers = {}) {
  return send(path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
}

async function signUp() {
  const email = `${randomUUID()}@example.com`;
  const answer = await sendJson('/signup', { email, password: PASSWORD });
  assert.equal(answer.status, 201, await answer.clone().text());
  return { email, answer };
}

async function logIn(email) {
  const answer = await send('/login', { method: 'POST', body: new URLSearchParams({ username: email, password: PASSWORD }) });
  assert.equal(answer.status, 200);
  return { Authorization: `Bearer ${(await answer.json()).access_token}` };
}

test('sign up, log in, read, write: each Location leads there', async () => {
  const { email, answer } = await signUp();
  const bearer = await logIn(email);
  const profile = await fetch(new URL(answer.headers.get('location'), ORIGIN), { headers: bearer });
  assert.equal((await profile.json()).email, email);

  const written = await sendJson('/posts', { title: 'Hello', content: 'Through nginx.' }, bearer);
  assert.equal(written.status, 201);
  const post = await fetch(new URL(written.headers.get('location'), ORIGIN));
  assert.equal((await post.json()).title, 'Hello');
  assert.equal((await send('/posts?limit=1')).status, 200);
});

test('refusals are the service\'s own, with the right status', async () => {
  assert.equal((await send('/me')).status, 401);
  assert.equal((await send('/nothing')).status, 404);
  const method = await send('/login');
  assert.deepEqual([method.status, method.headers.get('allow')], [405, 'POST']);
  assert.equal((await method.json()).error, 'invalid_request');
  const path = await send('/posts/x');
  assert.deepEqual((await path.json()).errors[0].loc, ['path', 'id']);
});

test('150 requests with a body, one after another, are all answered by the service', async () => {
  for (let number = 0; number < 150; number++) {
    const answer = await sendJson('/signup', {});
    assert.equal(answer.status, 422, `request ${number}`);
    assert.equal((await answer.json()).errors.length, 2);
  }
});

test('redirects stay under the prefix', async () => {
  const docs = `${BASE_URL}/docs`;
  for (const path of ['/', '/docs/']) {
    const answer = await send(path);
    assert.equal(answer.status, 307);
    assert.equal(new URL(answer.headers.get('location'), BASE_URL + path).href, docs);
  }
  assert.equal((await fetch(BASE_URL)).url, docs); // without the last slash nginx adds it first
});

test('what is published names the URL that the world sees', async () => {
  const inserted = `${ORIGIN}/.well-known/oauth-authorization-server${PREFIX}`;
  const metadata = await (await fetch(inserted)).json();
  assert.equal(metadata.issuer, BASE_URL);
  assert.deepEqual(await (await send('/.well-known/oauth-authorization-server')).json(), metadata);
  for (const [name, status] of [['jwks_uri', 200], ['token_endpoint', 405], ['revocation_endpoint', 405], ['service_documentation', 200]]) {
    assert.equal((await fetch(metadata[name])).status, status, `${name} ${metadata[name]}`);
  }
  const document = await (await send('/openapi.json')).json();
  assert.equal(document.servers[0].url, PREFIX || '/');
  assert.equal(document.components.securitySchemes.OAuth2PasswordBearer.flows.password.tokenUrl, `${PREFIX}/login`);
});

test('past the proxy the same answers with and without the prefix', async () => {
  for (const prefix of new Set(['', PREFIX])) {
    assert.equal((await fetch(`http://127.0.0.1:${SERVICE_PORT}${prefix}/healthz`)).status, 200);
  }
});

test('the address of a session is the client\'s, and cannot be forged', async () => {
  const { email } = await signUp();
  const body = new URLSearchParams({ username: email, password: PASSWORD }).toString();
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'X-Forwarded-For': '203.0.113.9' };
  const status = await new Promise((resolve, reject) => {
    const options = { method: 'POST', headers, localAddress: '127.0.0.5', host: '127.0.0.1', servername: 'localhost' };
    const request = httpsRequest(`${BASE_URL}/login`, options, (answer) => resolve(answer.resume().statusCode));
    request.on('error', reject).end(body);
  });
  assert.equal(status, 200);
  const sessions = await (await send('/me/sessions', { headers: await logIn(email) })).json();
  assert.ok(sessions.items.some((session) => session.ip === '127.0.0.5'), JSON.stringify(sessions));
});

test('keyfob login and keyfob token inspect work through it', async () => {
  const { email } = await signUp();
  const run = (args, input) => spawnSync(BINARY, args, { input, encoding: 'utf8', timeout: 60_000 });
  const login = run(['login', '--url', BASE_URL, '--email', email, '--token-only'], `${PASSWORD}\n`);
  assert.equal(login.status, 0, login.stderr);
  const inspect = run(['token', 'inspect', '--url', BASE_URL], login.stdout);
  assert.equal(inspect.status, 0, inspect.stderr);
  assert.match(inspect.stdout, /^valid: /m);

  delete process.env.SSL_CERT_FILE;
  const untrusted = run(['login', '--url', BASE_URL, '--email', email], `${PASSWORD}\n`);
  assert.equal(untrusted.status, 1, 'a certificate that nobody vouches for was taken');
  assert.match(untrusted.stderr, /certificate/);
});

test('/docs in Chromium: Authorize, try out, nothing asked outside of the prefix', { timeout: 120_000 }, async () => {
  const { email } = await signUp();
  const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'];
  const browser = await chromium.launch({ executablePath, headless: true, args });
  try {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    const faults = [];
    page.on('console', (message) => message.type() === 'error' && faults.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => faults.push(`page: ${error.message}`));
    page.on('requestfailed', (request) => faults.push(`failed: ${request.url()}`));
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith('data:') && !url.startsWith(`${BASE_URL}/`)) faults.push(`asked: ${url}`);
    });

    await page.goto(`${BASE_URL}/`);
    assert.equal(page.url(), `${BASE_URL}/docs`);
    await page.locator('.scheme-container button.authorize').click();
    const dialog = page.locator('.dialog-ux .modal-ux');
    await dialog.locator('#oauth_username').fill(email);
    await dialog.locator('#oauth_password').fill(PASSWORD);
    await dialog.getByRole('button', { name: 'Apply given OAuth2 credentials' }).click();
    await dialog.getByRole('heading', { name: 'Authorized', exact: true }).waitFor();
    await dialog.locator('.btn-done').click();

    const me = page.locator('.opblock-get', { has: page.locator('.opblock-summary-path[data-path="/me"]') });
    await me.locator('.opblock-summary-control').click();
    await me.getByRole('button', { name: 'Execute' }).click();
    const answer = me.locator('.live-responses-table .response-col_description .highlight-code').first();
    await answer.waitFor();
    assert.ok((await answer.innerText()).includes(email));
    assert.ok((await me.locator('.request-url').innerText()).includes(`${BASE_URL}/me`));
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
  }
});
