// What the tests of each page share: the browser, and a page on which nothing goes wrong unseen.
//
//   BASE_URL  where Keyfob listens             (http://127.0.0.1:8000)
//   OUT_DIR   where the screenshots go         (out/ beside this file)
//   CHROMIUM  the browser's executable         (/usr/bin/chromium)
//
// Every test opens a page of its own and fails on what nobody may see: a request to another host, a console or page
// error, a Content-Security-Policy violation, a refused request that the test did not ask for, a password dialog of
// the browser. The service keeps the accounts and posts that a run makes; their e-mails are new each time.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

export const BASE_URL = new URL(process.env.BASE_URL || 'http://127.0.0.1:8000');
const OUT_DIR = process.env.OUT_DIR || join(import.meta.dirname, 'out');
export const FOREIGN_HOST = 'keyfob.test';
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

/** A test with a page of its own, which `open` brings up and which must end without a fault. */
export function onPage(name, open, body) {
  test(name, { timeout: 90_000 }, async () => {
    const page = await browser.newPage();
    try {
      const opened = await open(page);
      await body(opened);
      opened.assertNoFaults();
    } catch (cause) {
      const file = join(OUT_DIR, `failed-${name.replaceAll(/[^a-z0-9]+/gi, '-')}.png`);
      await page.screenshot({ path: file, fullPage: true }).catch(() => {});
      throw cause;
    } finally {
      await page.close();
    }
  });
}

/** A page, and everything that went wrong on it. */
export class WatchedPage {
  page;
  #origin;
  #faults = [];
  #refusals = [];

  constructor(page, base) {
    this.page = page;
    this.#origin = base.origin;
  }

  async watch() {
    const page = this.page;
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
    await this.page.mouse.move(0, 0);
    await this.page.screenshot({ path: join(OUT_DIR, name), animations: 'disabled', ...options });
  }

  /** The page from its top down to the end of an element. */
  async screenshotDownTo(locator, name) {
    const bottom = await locator.evaluate((element) => element.getBoundingClientRect().bottom + window.scrollY);
    const { width } = this.page.viewportSize();
    await this.screenshot(name, { fullPage: true, clip: { x: 0, y: 0, width, height: Math.ceil(bottom) + 4 } });
  }

  async screenshotOf(locator, name) {
    await locator.screenshot({ path: join(OUT_DIR, name), animations: 'disabled' });
  }
}
