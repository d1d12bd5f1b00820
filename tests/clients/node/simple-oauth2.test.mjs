// simple-oauth2: ResourceOwnerPassword.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ResourceOwnerPassword } from 'simple-oauth2';
import { BASE_URL, CLIENT_ID, CLIENT_SECRET, WRONG_PASSWORD, assertSignedOut, getMe, signUp } from './service.mjs';

const KEYFOB = { id: 'keyfob', secret: '' };
const CONFIDENTIAL = { id: CLIENT_ID, secret: CLIENT_SECRET };
const IN_BODY = { authorizationMethod: 'body' };

// How the client says who it is.
const WAYS = {
  'nothing in HTTP Basic': [{ id: '', secret: '' }],
  'nothing in the body': [{ id: '', secret: '' }, IN_BODY],
  'an id alone in HTTP Basic': [KEYFOB],
  'an id alone in the body': [KEYFOB, IN_BODY],
  'id and secret in HTTP Basic': [CONFIDENTIAL],
  'id and secret in HTTP Basic, raw': [CONFIDENTIAL, { credentialsEncodingMode: 'loose' }],
  'id and secret in the body': [CONFIDENTIAL, IN_BODY],
};

function newClient(client, options = {}) {
  const auth = { tokenHost: BASE_URL, tokenPath: '/login', revokePath: '/revoke' };
  return new ResourceOwnerPassword({ client, auth, options });
}

/** How the library (its HTTP client Wreck) reports a refusal. */
function refusedWith(status, error) {
  return (thrown) => {
    assert.equal(thrown.isBoom, true);
    assert.deepEqual([thrown.output.statusCode, thrown.data.payload.error], [status, error]);
    return true;
  };
}

async function readMe(session) {
  const answer = await getMe(session.token.access_token);
  assert.equal(answer.status, 200);
  return answer.json();
}

describe('simple-oauth2', () => {
  for (const [name, [client, options]] of Object.entries(WAYS)) {
    test(`log in, refresh and log out with ${name}`, async () => {
      const ada = await signUp();

      const first = await newClient(client, options).getToken(ada);
      assert.equal((await readMe(first)).email, ada.username);
      assert.equal(first.expired(), false);

      const second = await first.refresh();
      assert.notEqual(second.token.refresh_token, first.token.refresh_token);
      assert.equal((await readMe(second)).email, ada.username);

      await second.revokeAll();
      await assert.rejects(second.refresh(), refusedWith(400, 'invalid_grant'));
      await assertSignedOut(second.token.access_token);
    });
  }

  test('a wrong password gives invalid_grant', async () => {
    const ada = { ...(await signUp()), password: WRONG_PASSWORD };
    await assert.rejects(newClient(KEYFOB).getToken(ada), refusedWith(400, 'invalid_grant'));
  });

  test('a wrong client secret gives invalid_client', async () => {
    const client = newClient({ id: CLIENT_ID, secret: 'wrong' });
    await assert.rejects(client.getToken(await signUp()), refusedWith(401, 'invalid_client'));
  });
});
