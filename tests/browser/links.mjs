// The pages that links open, in Chromium on a phone's screen: by keyboard alone, in both languages, in light and dark.
// The token is made up: a page does not say whether it is good until its button is used.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { BASE_URL, WatchedPage, onPage } from './page.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LINKS = [
  { path: '/password-reset/confirm', token: `kfp_${'A'.repeat(43)}`, heading: /new password/, german: /neues Passwort/ },
  { path: '/email-verification/confirm', token: `kfv_${'A'.repeat(43)}`, heading: /Confirm/, german: /Bestätigen Sie/ },
  { path: '/email-change/confirm', token: `kfe_${'A'.repeat(43)}`, heading: /Use this address/, german: /Diese Adresse für Ihr Konto/ },
  { path: '/email-change/undo', token: `kfu_${'A'.repeat(43)}`, heading: /Undo the change/, german: /rückgängig machen/ },
  { path: '/signup/confirm', token: `kfn_${'A'.repeat(43)}`, heading: /Confirm your sign-up/, german: /Bestätigen Sie Ihre Registrierung/ },
  { path: '/invitation', token: `kfi_${'A'.repeat(43)}`, heading: /Create your account/, german: /Legen Sie Ihr Konto an/ },
];

class LinkPage extends WatchedPage {
  static async open(page, { path, token }, { language = 'en', width = 390 } = {}) {
    const opened = new LinkPage(page, BASE_URL);
    await opened.watch();
    await page.setViewportSize({ width, height: 844 });
    await page.setExtraHTTPHeaders({ 'accept-language': language });
    await page.goto(new URL(`${path}?token=${token}`, BASE_URL).href);
    return opened;
  }

  heading(name) {
    return this.page.getByRole('heading', { level: 1, name });
  }

  /** No rule of WCAG 2.2 AA that axe-core knows is broken. It runs in a copy, since the page allows no script. */
  async assertAccessible() {
    const copy = await this.page.context().newPage();
    try {
      await copy.emulateMedia({ colorScheme: await this.colorScheme() });
      await copy.setViewportSize(this.page.viewportSize());
      await copy.setContent(await this.page.content());
      await copy.evaluate(AXE);
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
      const { violations } = await copy.evaluate((values) => globalThis.axe.run({ runOnly: values }), tags);
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
    } finally {
      await copy.close();
    }
  }

  async colorScheme() {
    return (await this.page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches)) ? 'dark' : 'light';
  }

  /** Nothing is cut off, and whatever is pressed or filled in is large enough for a finger. */
  async assertFits() {
    const overflow = await this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${overflow} px too wide`);
    for (const control of await this.page.locator('button, input:not([type=hidden])').all()) {
      const { height } = await control.boundingBox();
      assert.ok(height >= 44, `a control of ${height} px`);
    }
  }
}

for (const link of LINKS) {
  const name = link.path.slice(1).replace(/\/confirm$/, '').replaceAll('/', '-');
  for (const width of [320, 390]) {
    onPage(`${name} fits ${width} px and is accessible, in light and dark`, (page) => LinkPage.open(page, link, { width }), async (opened) => {
      await opened.heading(link.heading).waitFor();
      for (const colorScheme of ['light', 'dark']) {
        await opened.page.emulateMedia({ colorScheme });
        await opened.assertFits();
        await opened.assertAccessible();
        await opened.screenshot(`${name}-${width}-${colorScheme}.png`);
      }
    });
  }

  onPage(`${name} speaks German to a German browser`, (page) => LinkPage.open(page, link, { language: 'de-DE' }), async (opened) => {
    await opened.heading(link.german).waitFor();
    assert.equal(await opened.page.locator('html').getAttribute('lang'), 'de');
    await opened.assertFits();
  });
}

onPage('a reset by keyboard alone: a refused password, then a link that is no longer valid', (page) => LinkPage.open(page, LINKS[0]), async (opened) => {
  const { page } = opened;
  const { keyboard } = page;
  opened.expectRefusal('422 POST /password-reset/confirm');
  opened.expectRefusal('400 POST /password-reset/confirm');
  await keyboard.press('Tab');
  await keyboard.type('short');
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  const field = page.getByLabel('New password');
  await page.getByText('Please use at least 8 characters.').waitFor();
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  assert.equal(await field.evaluate((element) => element === document.activeElement), true, 'the field has the focus');
  assert.equal(new URL(page.url()).search, '', 'the address no longer holds the token');
  await opened.assertAccessible();
  await opened.screenshot('password-reset-refused.png');
  await keyboard.type('a few random words');
  await keyboard.press('Enter');
  await opened.heading(/no longer valid/).waitFor();
  await opened.assertFits();
  await opened.assertAccessible();
});
