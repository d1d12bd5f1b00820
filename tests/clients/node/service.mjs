// The service under test and the people who use it; what a story needs that is not its library's job.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** An environment variable without which nothing can be tested. */
function required(name) {
  return process.env[name] || assert.fail(`${name} is not set`);
}

export const BASE_URL = required('BASE_URL');
export const ME = new URL('/me', BASE_URL);
export const JWKS = new URL('/.well-known/jwks.json', BASE_URL);

// A confidential client.
export const CLIENT_ID = required('CLIENT_ID');
export const CLIENT_SECRET = required('CLIENT_SECRET');

// The service's token.algorithm and token.audience.
export const ALGORITHM = process.env.TOKEN_ALGORITHM || 'EdDSA';
export const AUDIENCE = 'keyfob';

// What form-encoding must carry unharmed.
export const PASSWORD = 'violet otter & 92+é%=;';
export const WRONG_PASSWORD = 'orange otter & 92+é%=;';

/** Someone new, as the log-in form wants them. */
export async function signUp() {
  const email = `${randomUUID()}@example.com`;
  const answer = await fetch(new URL('/signup', BASE_URL), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email, password: PASSWORD }),
  });
  assert.equal(answer.status, 201, await answer.text());
  return { username: email, password: PASSWORD };
}

/** The access token of someone new, fetched without a library. */
export async function getAccessToken() {
  const body = new URLSearchParams(await signUp());
  const answer = await fetch(new URL('/login', BASE_URL), { method: 'POST', body });
  assert.equal(answer.status, 200);
  return (await answer.json()).access_token;
}

/** The same token with the scope `admin`, under the old signature. */
export function forge(accessToken) {
  const [header, payload, signature] = accessToken.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  const forged = Buffer.from(JSON.stringify({ ...claims, scope: 'admin' })).toString('base64url');
  return [header, forged, signature].join('.');
}

/** The answer of `GET /me`, asked without a library. */
export function getMe(accessToken) {
  return fetch(ME, { headers: { Authorization: `Bearer ${accessToken}` } });
}

/** Signing out reaches the access tokens within 1 s, on PostgreSQL 2 s. */
export async function assertSignedOut(accessToken) {
  const deadline = Date.now() + 2000;
  let answer = await getMe(accessToken);
  while (answer.status === 200 && Date.now() < deadline) {
    await sleep(50);
    answer = await getMe(accessToken);
  }
  assert.equal(answer.status, 401);
  assert.match(answer.headers.get('www-authenticate'), /^Bearer .*error="invalid_token"/);
}
