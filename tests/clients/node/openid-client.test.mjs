// openid-client: a Configuration by discovery (RFC 8414), then its helpers for each request.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as client from 'openid-client';
import { BASE_URL, CLIENT_ID, CLIENT_SECRET, ME, WRONG_PASSWORD, assertSignedOut, signUp } from './service.mjs';

// How the client says who it is.
const WAYS = {
  'none': ['keyfob', client.None()],
  'client_secret_basic': [CLIENT_ID, client.ClientSecretBasic(CLIENT_SECRET)],
  'client_secret_post': [CLIENT_ID, client.ClientSecretPost(CLIENT_SECRET)],
};

/** What the library throws for an error of RFC 6749 §5.2, and for a challenge in `WWW-Authenticate`. */
const INVALID_GRANT = { name: 'ResponseBodyError', error: 'invalid_grant', status: 400 };
const CHALLENGED = { name: 'WWWAuthenticateChallengeError', status: 401 };

function discover([clientId, auth]) {
  const options = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] };
  return client.discovery(new URL(BASE_URL), clientId, undefined, auth, options);
}

function logIn(config, user) {
  return client.genericGrantRequest(config, 'password', user);
}

async function readMe(config, tokens) {
  const answer = await client.fetchProtectedResource(config, tokens.access_token, ME, 'GET');
  return answer.json();
}

describe('openid-client', () => {
  for (const [name, way] of Object.entries(WAYS)) {
    test(`log in, refresh and log out with ${name}`, async () => {
      const ada = await signUp();
      const config = await discover(way);

      const first = await logIn(config, ada);
      assert.equal((await readMe(config, first)).email, ada.username);

      const second = await client.refreshTokenGrant(config, first.refresh_token);
      assert.notEqual(second.refresh_token, first.refresh_token);
      assert.equal((await readMe(config, second)).email, ada.username);

      await client.tokenRevocation(config, second.refresh_token);
      await assert.rejects(client.refreshTokenGrant(config, second.refresh_token), INVALID_GRANT);
      await assertSignedOut(second.access_token);
      await assert.rejects(readMe(config, second), CHALLENGED);
    });
  }

  test('a confidential client introspects the token of an app', async () => {
    const app = await discover(WAYS.none);
    const api = await discover(WAYS.client_secret_basic);
    const { access_token: accessToken } = await logIn(app, await signUp());

    const said = await client.tokenIntrospection(api, accessToken);
    assert.deepEqual([said.active, said.client_id], [true, 'keyfob']);

    await client.tokenRevocation(app, accessToken);
    assert.deepEqual(await client.tokenIntrospection(api, accessToken), { active: false });
  });

  test('a wrong password gives invalid_grant', async () => {
    const ada = { ...(await signUp()), password: WRONG_PASSWORD };
    const refusal = { ...INVALID_GRANT, error_description: 'Incorrect username or password' };
    await assert.rejects(logIn(await discover(WAYS.none), ada), refusal);
  });

  test('a wrong client secret is answered with a Basic challenge', async () => {
    const config = await discover([CLIENT_ID, client.ClientSecretBasic('wrong')]);
    await assert.rejects(logIn(config, await signUp()), CHALLENGED);
  });
});
