// What an app does, through openapi-fetch and the types that openapi-typescript made: each path, body and answer here is
// checked by the compiler, and then sent to the service at BASE_URL.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './generated/api.js';

type Tokens = components['schemas']['TokenAnswer'];

const baseUrl = process.env.BASE_URL ?? 'http://127.0.0.1:8000';
const email = `ada-${randomUUID()}@example.com`;
const password = 'correct horse battery staple';

/** OAuth asks for a form; openapi-fetch sends JSON unless told otherwise. */
const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };

test('sign up, log in, read, write, renew, log out', async () => {
  let tokens: Tokens | undefined;
  const withToken: Middleware = {
    onRequest({ request }) {
      if (tokens) request.headers.set('Authorization', `Bearer ${tokens.access_token}`);
      return request;
    },
  };
  const client = createClient<paths>({ baseUrl });

  const signedUp = await client.POST('/signup', { body: { email, password, full_name: null } });
  assert.equal(signedUp.response.status, 201);
  // With 202 there would be no account yet: the address would have to be proven first.
  assert.ok(signedUp.data && 'id' in signedUp.data);
  const account = signedUp.data;
  assert.equal(account.email, email);

  const refused = await client.POST('/login', { body: { username: email, password: 'wrong' }, headers });
  assert.equal(refused.response.status, 400);
  assert.equal(refused.error?.error, 'invalid_grant');

  const loggedIn = await client.POST('/login', { body: { username: email, password }, headers });
  tokens = loggedIn.data;
  assert.ok(tokens);
  client.use(withToken);

  const { data: me } = await client.GET('/me');
  assert.equal(me?.id, account.id);

  const written = await client.POST('/posts', { body: { title: 'Hello', content: 'From TypeScript.' } });
  assert.ok(written.data);
  const path = { id: written.data.id };
  const changed = await client.PATCH('/posts/{id}', {
    params: { path, header: { 'If-Match': written.response.headers.get('ETag') ?? '' } },
    body: { title: 'Hello again' },
  });
  assert.equal(changed.data?.title, 'Hello again');
  const { data: page } = await client.GET('/posts', { params: { query: { author_id: me?.id, limit: 1 } } });
  assert.deepEqual(page?.items.map(({ id }) => id), [written.data.id]);

  const invalid = await client.POST('/posts', { body: { title: '', content: 'No title.' } });
  assert.equal(invalid.response.status, 422);
  assert.deepEqual(invalid.error?.errors?.map(({ loc }) => loc), [['body', 'title']]);

  const renewed = await client.POST('/login', {
    body: { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, username: '', password: '' },
    headers,
  });
  assert.ok(renewed.data);
  assert.notEqual(renewed.data.refresh_token, tokens.refresh_token);
  tokens = renewed.data;

  const deleted = await client.DELETE('/posts/{id}', { params: { path } });
  assert.equal(deleted.response.status, 204);
  const loggedOut = await client.POST('/revoke', { body: { token: tokens.refresh_token }, headers });
  assert.equal(loggedOut.response.status, 200);
  const again = await client.POST('/login', {
    body: { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, username: '', password: '' },
    headers,
  });
  assert.equal(again.error?.error, 'invalid_grant');
});
