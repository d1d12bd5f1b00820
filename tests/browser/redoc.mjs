// /redoc in Chromium: the whole document on a page, wholly from the service.
import assert from 'node:assert/strict';
import { BASE_URL, FOREIGN_HOST, WatchedPage, onPage } from './page.mjs';

function onRedoc(name, body, base = BASE_URL) {
  onPage(name, (page) => Redoc.open(page, base), body);
}

class Redoc extends WatchedPage {
  static async open(page, base) {
    const redoc = new Redoc(page, base);
    await redoc.watch();
    await page.goto(new URL('/redoc', base).href);
    await page.getByRole('heading', { name: /^Keyfob/ }).waitFor();
    return redoc;
  }
}

onRedoc('every operation of the document is on the page', async (redoc) => {
  const { paths } = await (await fetch(new URL('/openapi.json', BASE_URL))).json();
  const summaries = Object.values(paths).flatMap((item) => Object.values(item).map(({ summary }) => summary));
  assert.ok(summaries.length > 20, `${summaries.length} operations`);
  const shown = await redoc.page.locator('h2').allInnerTexts();
  const missing = summaries.filter((summary) => !shown.some((heading) => heading.trim() === summary));
  assert.deepEqual(missing, []);
  await redoc.screenshot('redoc.png');
});

onRedoc('the search finds an operation, and a click leads to it', async (redoc) => {
  await redoc.page.getByPlaceholder('Search...').fill('password');
  const found = redoc.page.locator('[data-role="search:results"]').getByText('Log in', { exact: false }).first();
  await found.click();
  await redoc.page.waitForURL(/#.*log_in/);
  await redoc.screenshot('redoc-search.png');
});

onRedoc('under another host name it still asks no other host', async (redoc) => {
  await redoc.page.getByText('API docs by Redocly').waitFor();
  await redoc.page.waitForLoadState('networkidle');
}, new URL(BASE_URL.href.replace(BASE_URL.hostname, FOREIGN_HOST)));
