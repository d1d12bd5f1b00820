// A newcomer's path through /docs, in Chromium: sign up, Authorize, read the own profile, write a post, log out.
//
//   BASE_URL  where Keyfob listens             (http://127.0.0.1:8000)
//   OUT_DIR   where the screenshots go         (out/ beside this file)
//   CHROMIUM  the browser's executable         (/usr/bin/chromium)
//
// Every test opens a page of its own and fails on what nobody may see: a request to another host, a console or page
// error, a Content-Security-Policy violation, a refused request that the test did not ask for, a password dialog of
// the browser. The service keeps the accounts and posts that a run makes; their e-mails are new each time.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const BASE_URL = new URL(process.env.BASE_URL || 'http://127.0.0.1:8000');
const OUT_DIR = process.env.OUT_DIR || join(import.meta.dirname, 'out');
const FOREIGN_HOST = 'keyfob.test';
const PASSWORD = 'correct horse & battery+staple é%';
const WAIT_MS = 15_000;

let browser;
let profileDir;

before(async () => {
  const alive = await fetch(new URL('/healthz', BASE_URL)).catch((cause) => cause);
  assert.ok(alive.ok, `no Keyfob answers at ${BASE_URL}healthz: ${alive.status ?? alive.cause?.message ?? alive.message}`);
  mkdirSync(OUT_DIR, { recursive: true });
  profileDir = mkdtempSync(join(tmpdir(), 'keyfob-browser-'));
  browser = await chromium.launchPersistentContext(profileDir, {
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    headless: true,
    viewport: { width: 1200, height: 900 },
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      `--host-resolver-rules=MAP ${FOREIGN_HOST} ${BASE_URL.hostname}`,
    ],
  });
  browser.setDefaultTimeout(WAIT_MS);
});

after(async () => {
  await browser?.close();
  if (profileDir) rmSync(profileDir, { recursive: true, force: true });
});

/** A test with a page of its own, which must end without a fault. */
function onDocs(name, body, base = BASE_URL) {
  test(name, { timeout: 90_000 }, async () => {
    const page = await browser.newPage();
    try {
      const docs = await Docs.open(page, base);
      await body(docs);
      docs.assertNoFaults();
    } catch (cause) {
      const file = join(OUT_DIR, `failed-${name.replaceAll(/[^a-z0-9]+/gi, '-')}.png`);
      await page.screenshot({ path: file, fullPage: true }).catch(() => {});
      throw cause;
    } finally {
      await page.close();
    }
  });
}

/** The /docs page: its blocks, its Authorize dialog, and everything that went wrong on it. */
class Docs {
  #page;
  #origin;
  #faults = [];
  #refusals = [];

  static async open(page, base) {
    const docs = new Docs();
    docs.#page = page;
    docs.#origin = base.origin;
    await docs.#watch();
    await page.goto(new URL('/docs', base).href);
    await page.locator('.opblock').first().waitFor();
    return docs;
  }

  async #watch() {
    const page = this.#page;
    const fault = (text) => this.#faults.push(text.replaceAll(/\s+/g, ' '));

    page.on('request', (request) => {
      const url = new URL(request.url());
      if (!['data:', 'blob:'].includes(url.protocol) && url.origin !== this.#origin) {
        fault(`request to another host: ${url.href}`);
      }
    });
    page.on('requestfailed', (request) => fault(`request failed: ${request.url()} ${request.failure()?.errorText}`));
    page.on('websocket', (socket) => fault(`web socket: ${socket.url()}`));
    page.on('pageerror', (error) => fault(`page error: ${error.message}`));
    page.on('dialog', async (dialog) => {
      fault(`dialog: ${dialog.message()}`);
      await dialog.dismiss();
    });
    page.on('console', (message) => {
      const url = message.location().url;
      if (/^Failed to load resource: the server responded with a status of/.test(message.text())) return; // counted below
      if (message.type() === 'error') fault(`console error: ${message.text()} (${url})`);
    });
    page.on('response', (response) => {
      if (response.status() < 400) return;
      const refusal = `${response.status()} ${response.request().method()} ${new URL(response.url()).pathname}`;
      const at = this.#refusals.indexOf(refusal);
      if (at < 0) fault(`unexpected refusal: ${refusal}`);
      else this.#refusals.splice(at, 1);
    });

    // A violation that is only reported leaves no console error, and the page's own handler could hide it.
    await page.exposeFunction('keyfobCspViolation', (text) => fault(`CSP violation: ${text}`));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        window.keyfobCspViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile ?? ''}`);
      });
    });

    // Headless Chromium draws no password dialog; `authRequired` is the moment at which it would.
    const chrome = await page.context().newCDPSession(page);
    const gone = () => {}; // the page was closed under the request
    chrome.on('Fetch.requestPaused', ({ requestId }) => chrome.send('Fetch.continueRequest', { requestId }).catch(gone));
    chrome.on('Fetch.authRequired', ({ requestId, request, authChallenge }) => {
      fault(`the browser asks for a password: ${authChallenge.scheme} at ${request.url}`);
      chrome.send('Fetch.continueWithAuth', { requestId, authChallengeResponse: { response: 'CancelAuth' } }).catch(gone);
    });
    await chrome.send('Fetch.enable', { handleAuthRequests: true });
  }

  /** Announces an answer of 400 or more, once: `401 GET /me`. */
  expectRefusal(refusal) {
    this.#refusals.push(refusal);
  }

  assertNoFaults() {
    if (this.#faults.length > 0) assert.fail(`the page had faults: ${this.#faults.join(' | ')}`);
    if (this.#refusals.length > 0) assert.fail(`expected refusals that did not come: ${this.#refusals.join(' | ')}`);
  }

  async screenshot(name, options = {}) {
    await this.#page.mouse.move(0, 0);
    await this.#page.screenshot({ path: join(OUT_DIR, name), animations: 'disabled', ...options });
  }

  /** The page from its top down to the end of an element. */
  async screenshotDownTo(locator, name) {
    const bottom = await locator.evaluate((element) => element.getBoundingClientRect().bottom + window.scrollY);
    const { width } = this.#page.viewportSize();
    await this.screenshot(name, { fullPage: true, clip: { x: 0, y: 0, width, height: Math.ceil(bottom) + 4 } });
  }

  async screenshotOf(locator, name) {
    await locator.screenshot({ path: join(OUT_DIR, name), animations: 'disabled' });
  }

  /** The operation's block, found by what a reader sees: its method and its path. */
  block(method, path) {
    return this.#page.locator(`.opblock-${method.toLowerCase()}`, {
      has: this.#page.locator(`.opblock-summary-path[data-path="${path}"]`),
    });
  }

  /** Opens an operation's block, ready to be tried out. */
  async open(method, path) {
    const block = this.block(method, path);
    assert.equal(await block.count(), 1, `${method} ${path} must stand exactly once on the page`);
    if ((await block.locator('.opblock-body').count()) === 0) await block.locator('.opblock-summary-control').click();
    const execute = block.getByRole('button', { name: 'Execute' });
    const tryItOut = block.getByRole('button', { name: 'Try it out' }); // absent where tryItOutEnabled is set
    await execute.or(tryItOut).first().waitFor();
    if (await tryItOut.isVisible()) await tryItOut.click();
    const clear = block.getByRole('button', { name: 'Clear', exact: true });
    if (await clear.isVisible()) await clear.click();
    return block;
  }

  /** Fills the body, if there is one to fill, and presses Execute; gives the status and body that the page shows. */
  async execute(method, path, body) {
    const block = await this.open(method, path);
    if (body !== undefined) await block.locator('textarea.body-param__text').fill(JSON.stringify(body, null, 2));
    await block.getByRole('button', { name: 'Execute' }).click();
    const live = block.locator('.live-responses-table');
    const status = await live.locator('tbody .response-col_status').first().innerText();
    const shown = live.locator('.response-col_description .highlight-code').first();
    return { status: Number.parseInt(status, 10), text: (await shown.count()) ? await shown.innerText() : '', block };
  }

  async signUp() {
    const email = `mia-${randomUUID().slice(0, 8)}@example.com`;
    const { status, text } = await this.execute('POST', '/signup', { email, password: PASSWORD });
    assert.equal(status, 201, `POST /signup shows ${status}: ${text}`);
    return email;
  }

  get dialog() {
    return this.#page.locator('.dialog-ux .modal-ux');
  }

  async openDialog() {
    await this.#page.locator('.scheme-container button.authorize').click();
    await this.dialog.locator('#oauth_username').or(this.dialog.getByRole('button', { name: 'Remove authorization' })).waitFor();
  }

  async closeDialog() {
    await this.dialog.getByRole('button', { name: 'Close', exact: true }).and(this.#page.locator('.btn-done')).click();
    await this.dialog.waitFor({ state: 'detached' });
  }

  /** Fills the dialog and presses its Authorize; gives the request that went to the token endpoint. */
  async pressAuthorize({ email, password = PASSWORD, location, clientId }) {
    const { dialog } = this;
    await dialog.locator('#oauth_username').fill(email);
    await dialog.locator('#oauth_password').fill(password);
    if (location) await dialog.locator('#password_type').selectOption(location);
    if (clientId !== undefined) await dialog.locator('#client_id_password').fill(clientId);
    const sent = this.#page.waitForRequest((request) => new URL(request.url()).pathname === '/login');
    await dialog.getByRole('button', { name: 'Apply given OAuth2 credentials' }).click();
    return sent;
  }

  async authorize(credentials) {
    await this.openDialog();
    const request = await this.pressAuthorize(credentials);
    const authorized = this.dialog.getByRole('heading', { name: 'Authorized', exact: true });
    await authorized.or(this.dialog.locator('.errors')).first().waitFor();
    if (!(await authorized.isVisible())) assert.fail(`Authorize failed: ${await this.errorText()}`);
    return request;
  }

  async errorText() {
    return (await this.dialog.locator('.errors').first().innerText()).replaceAll(/\s+/g, ' ');
  }

  async logout() {
    await this.openDialog();
    await this.dialog.getByRole('button', { name: 'Remove authorization' }).click();
    await this.dialog.locator('#oauth_username').waitFor();
    await this.closeDialog();
  }

  async assertReadsOwnProfile(email) {
    const { status, text, block } = await this.execute('GET', '/me');
    assert.equal(status, 200, `GET /me shows ${status}: ${text}`);
    assert.ok(text.includes(email), `GET /me shows not ${email} but ${text}`);
    return block;
  }
}

onDocs('the page stands by itself and shows the operations of the quick start', async (docs) => {
  for (const [method, path] of [['POST', '/signup'], ['POST', '/login'], ['GET', '/me'], ['GET', '/posts'], ['POST', '/posts']]) {
    assert.equal(await docs.block(method, path).count(), 1, `${method} ${path} is not on the page`);
  }
  await docs.screenshot('docs.png');
});

onDocs('under another host name it still asks no other host', async (docs) => {
  const { status } = await docs.execute('GET', '/posts');
  assert.equal(status, 200, `GET /posts shows ${status}`);
}, new URL(BASE_URL.href.replace(BASE_URL.hostname, FOREIGN_HOST)));

onDocs('sign up, Authorize, own profile, a post, Logout', async (docs) => {
  const email = await docs.signUp();

  const request = await docs.authorize({ email });
  const form = new URLSearchParams(request.postData());
  assert.equal(form.get('username'), email, 'the login form was not sent as typed');
  await docs.screenshot('docs-dialog.png');
  await docs.closeDialog();

  const me = await docs.assertReadsOwnProfile(email);
  await docs.screenshotDownTo(me.locator('.live-responses-table .response-col_description .highlight-code').first(), 'docs-authorized.png');

  const post = { title: 'From the docs page', content: 'Written through "Try it out".' };
  const written = await docs.execute('POST', '/posts', post);
  assert.equal(written.status, 201, `POST /posts shows ${written.status}: ${written.text}`);
  assert.ok(written.text.includes(post.title), `POST /posts does not show the post: ${written.text}`);
  await docs.screenshotOf(written.block, 'docs-post.png');

  await docs.logout();
  docs.expectRefusal('401 GET /me');
  const closed = await docs.execute('GET', '/me');
  assert.equal(closed.status, 401, `GET /me shows ${closed.status} after Logout`);
});

onDocs('the example of POST /signup is taken as it stands, but for the e-mail', async (docs) => {
  const block = await docs.open('POST', '/signup');
  const example = JSON.parse(await block.locator('textarea.body-param__text').inputValue());
  const email = `mia-${randomUUID().slice(0, 8)}@example.com`;
  const { status, text } = await docs.execute('POST', '/signup', { ...example, email });
  assert.equal(status, 201, `POST /signup shows ${status}: ${text}`);
});

onDocs('POST /login is taken with no more than e-mail and password typed', async (docs) => {
  const email = await docs.signUp();
  const block = await docs.open('POST', '/login');
  const field = (name) => block.locator(`tr[data-property-name="${name}"] input:not([type="checkbox"])`);
  await field('username').fill(email);
  await field('password').fill(PASSWORD);
  const { status, text } = await docs.execute('POST', '/login');
  assert.equal(status, 200, `POST /login shows ${status}: ${text}`);
});

onDocs('a wrong password is told in the dialog, and the right one then works', async (docs) => {
  const email = await docs.signUp();
  await docs.openDialog();
  docs.expectRefusal('400 POST /login');
  await docs.pressAuthorize({ email, password: `${PASSWORD}!` });
  const error = await docs.errorText();
  assert.match(error, /invalid_grant/, `the dialog does not name the fault: ${error}`);
  await docs.screenshot('docs-wrong-password.png');
  await docs.closeDialog();

  await docs.authorize({ email });
  await docs.closeDialog();
  await docs.assertReadsOwnProfile(email);
});

onDocs('an unknown client is told in the dialog, without a password dialog of the browser', async (docs) => {
  const email = await docs.signUp();
  await docs.openDialog();
  docs.expectRefusal('401 POST /login');
  await docs.pressAuthorize({ email, clientId: 'nobody' });
  const error = await docs.errorText();
  assert.match(error, /invalid_client/, `the dialog does not name the fault: ${error}`);
});

for (const { name, location, clientId } of [
  { name: 'client credentials in the request body, none typed', location: 'request-body' },
  { name: 'client id keyfob in the request body', location: 'request-body', clientId: 'keyfob' },
  { name: 'client id keyfob in the Authorization header', location: 'basic', clientId: 'keyfob' },
]) {
  onDocs(name, async (docs) => {
    const email = await docs.signUp();
    const request = await docs.authorize({ email, location, clientId });
    const header = (await request.allHeaders()).authorization;
    const form = new URLSearchParams(request.postData());
    if (location === 'basic') assert.equal(header, `Basic ${btoa(`${clientId}:`)}`, 'the client id is not in the header');
    else assert.equal(header, undefined, 'client credentials are in the header, not in the body');
    if (location === 'request-body') assert.equal(form.get('client_id') ?? undefined, clientId, 'the client id is not in the body');
    await docs.closeDialog();
    await docs.assertReadsOwnProfile(email);
  });
}
