// A newcomer's path through /docs, in Chromium: sign up, Authorize, read the own profile, write a post, log out.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { BASE_URL, FOREIGN_HOST, WatchedPage, onPage } from './page.mjs';

const PASSWORD = 'correct horse & battery+staple é%';

function onDocs(name, body, { base = BASE_URL, fragment = '', colorScheme } = {}) {
  onPage(name, (page) => Docs.open(page, base, fragment, colorScheme), body);
}

/** The /docs page: its blocks and its Authorize dialog. */
class Docs extends WatchedPage {
  static async open(page, base, fragment, colorScheme) {
    const docs = new Docs(page, base);
    await docs.watch();
    await page.emulateMedia({ colorScheme });
    await page.goto(new URL(`/docs${fragment}`, base).href);
    await page.locator('.opblock').first().waitFor();
    return docs;
  }

  /** The operation's block, found by what a reader sees: its method and its path. */
  block(method, path) {
    return this.page.locator(`.opblock-${method.toLowerCase()}`, {
      has: this.page.locator(`.opblock-summary-path[data-path="${path}"]`),
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
  async execute(method, path, body, parameters = {}) {
    const block = await this.open(method, path);
    for (const [name, value] of Object.entries(parameters)) {
      await block.locator(`tr[data-param-name="${name}"] input`).fill(String(value));
    }
    if (body !== undefined) await block.locator('textarea.body-param__text').fill(JSON.stringify(body, null, 2));
    await block.getByRole('button', { name: 'Execute' }).click();
    const live = block.locator('.live-responses-table');
    const status = await live.locator('tbody .response-col_status').first().innerText();
    const shown = live.locator('.response-col_description .highlight-code').first();
    return { status: Number.parseInt(status, 10), text: (await shown.count()) ? await shown.innerText() : '', block };
  }

  async signUp() {
    const email = `mia-${randomUUID().slice(0, 8)}@example.com`;
    const { status, text, block } = await this.execute('POST', '/signup', { email, password: PASSWORD });
    assert.equal(status, 201, `POST /signup shows ${status}: ${text}`);
    await block.locator('.opblock-summary-control').click(); // closed again: the pictures show what comes after it
    return email;
  }

  get dialog() {
    return this.page.locator('.dialog-ux .modal-ux');
  }

  async openDialog() {
    await this.page.locator('.scheme-container button.authorize').click();
    await this.dialog.locator('#oauth_username').or(this.dialog.getByRole('button', { name: 'Remove authorization' })).waitFor();
  }

  async closeDialog() {
    await this.dialog.getByRole('button', { name: 'Close', exact: true }).and(this.page.locator('.btn-done')).click();
    await this.dialog.waitFor({ state: 'detached' });
  }

  /** Fills the dialog and presses its Authorize; gives the request that went to the token endpoint. */
  async pressAuthorize({ email, password = PASSWORD, location, clientId }) {
    const { dialog } = this;
    await dialog.locator('#oauth_username').fill(email);
    await dialog.locator('#oauth_password').fill(password);
    if (location) await dialog.locator('#password_type').selectOption(location);
    if (clientId !== undefined) await dialog.locator('#client_id_password').fill(clientId);
    const sent = this.page.waitForRequest((request) => new URL(request.url()).pathname === '/login');
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

/** The body that the page shows, under its button for a download. */
function shownJson(text) {
  return JSON.parse(text.slice(text.indexOf('{')));
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
}, { base: new URL(BASE_URL.href.replace(BASE_URL.hostname, FOREIGN_HOST)) });

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

  const { id } = shownJson(written.text);
  const change = { title: 'Changed on the docs page' };
  const changed = await docs.execute('PATCH', '/posts/{id}', change, { id });
  assert.equal(changed.status, 200, `PATCH /posts/${id} shows ${changed.status}: ${changed.text}`);
  const { title, content } = shownJson(changed.text);
  assert.deepEqual({ title, content }, { ...post, ...change });
  const read = await docs.execute('GET', '/posts/{id}', undefined, { id });
  assert.ok(read.text.includes(change.title), `GET /posts/${id} shows not the change but ${read.text}`);

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

onDocs('the scopes that everybody may have are ticked when the dialog opens', async (docs) => {
  await docs.openDialog();
  const ticked = await docs.dialog.locator('.scopes input:checked').evaluateAll((boxes) => boxes.map((box) => box.dataset.value));
  assert.deepEqual(ticked.sort(), ['posts', 'profile']);
});

onDocs('an answer shows how long it took', async (docs) => {
  const { block } = await docs.execute('GET', '/posts');
  const heading = block.getByText('Request duration');
  assert.match(await heading.locator('..').innerText(), /\d+\s*ms/);
});

onDocs('a link to an operation opens it, ready to be tried out', async (docs) => {
  await docs.block('POST', '/posts').getByRole('button', { name: 'Execute' }).waitFor();
  assert.equal(await docs.page.locator('.opblock.is-open').count(), 1);
}, { fragment: '#/posts/create_post' });

onDocs('the groups stand in the order in which they are needed, and say what they are', async (docs) => {
  const tags = await docs.page.locator('.opblock-tag').evaluateAll((tags) => tags.map((tag) => tag.dataset.tag));
  assert.deepEqual(tags, ['accounts', 'oauth', 'posts', 'administration', 'operations']);
  const first = docs.page.locator('.opblock .opblock-summary-path').first();
  assert.equal(await first.getAttribute('data-path'), '/signup');
  await docs.page.locator('.info').getByText('First steps').waitFor();
  assert.match(await docs.page.title(), /Keyfob/);
});

for (const [colorScheme, isDark] of [['dark', true], ['light', false]]) {
  onDocs(`the page is ${colorScheme} where the system is`, async (docs) => {
    const background = isDark ? 'rgb(28, 32, 34)' : 'rgba(0, 0, 0, 0)';
    const is = (expected) => docs.page.waitForFunction(
      (colour) => getComputedStyle(document.documentElement).backgroundColor === colour, expected);
    await is(background);
    await docs.screenshot(`docs-${colorScheme}.png`);
    await docs.page.emulateMedia({ colorScheme: isDark ? 'light' : 'dark' });
    await is(isDark ? 'rgba(0, 0, 0, 0)' : 'rgb(28, 32, 34)');
  }, { colorScheme });
}
