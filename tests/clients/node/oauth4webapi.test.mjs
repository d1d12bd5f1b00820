// oauth4webapi: everything from the issuer's URL alone (RFC 8414), and access tokens checked as an API does (RFC 9068).
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import * as oauth from 'oauth4webapi';
import {
  ALGORITHM, AUDIENCE, BASE_URL, CLIENT_ID, CLIENT_SECRET, ME, WRONG_PASSWORD, assertSignedOut, forge, signUp,
} from './service.mjs';

const HTTP = { [oauth.allowInsecureRequests]: true };
const KEYFOB = [{ client_id: 'keyfob' }, oauth.None()];
const API = [{ client_id: CLIENT_ID }, oauth.ClientSecretBasic(CLIENT_SECRET)];

// How the client says who it is.
const WAYS = {
  'none': KEYFOB,
  'client_secret_basic': API,
  'client_secret_post': [{ client_id: CLIENT_ID }, oauth.ClientSecretPost(CLIENT_SECRET)],
};

/** What the library throws for an error of RFC 6749 §5.2, and for a challenge in `WWW-Authenticate`. */
const INVALID_GRANT = { name: 'ResponseBodyError', error: 'invalid_grant', status: 400 };
const CHALLENGED = { name: 'WWWAuthenticateChallengeError', status: 401 };

let server;

before(async () => {
  const issuer = new URL(BASE_URL);
  const answer = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...HTTP });
  server = await oauth.processDiscoveryResponse(issuer, answer);
});

async function logIn([client, auth], user) {
  const answer = await oauth.genericTokenEndpointRequest(server, client, auth, 'password', user, HTTP);
  return oauth.processGenericTokenEndpointResponse(server, client, answer);
}

async function refresh([client, auth], tokens) {
  const answer = await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token, HTTP);
  return oauth.processRefreshTokenResponse(server, client, answer);
}

async function revoke([client, auth], token) {
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, token, HTTP));
}

async function introspect([client, auth], token) {
  const answer = await oauth.introspectionRequest(server, client, auth, token, HTTP);
  return oauth.processIntrospectionResponse(server, client, answer);
}

async function readMe(tokens) {
  const answer = await oauth.protectedResourceRequest(tokens.access_token, 'GET', ME, undefined, undefined, HTTP);
  return answer.json();
}

describe('oauth4webapi', () => {
  for (const [name, client] of Object.entries(WAYS)) {
    test(`log in, refresh and log out with ${name}`, async () => {
      const ada = await signUp();

      const first = await logIn(client, ada);
      assert.equal((await readMe(first)).email, ada.username);

      const second = await refresh(client, first);
      assert.notEqual(second.refresh_token, first.refresh_token);
      assert.equal((await readMe(second)).email, ada.username);

      await revoke(client, second.refresh_token);
      await assert.rejects(refresh(client, second), INVALID_GRANT);
      await assertSignedOut(second.access_token);
      await assert.rejects(readMe(second), CHALLENGED);
    });
  }

  for (const kind of ['access_token', 'refresh_token']) {
    test(`a confidential client introspects the ${kind} of an app`, async () => {
      const tokens = await logIn(KEYFOB, await signUp());

      const said = await introspect(API, tokens[kind]);
      assert.deepEqual([said.active, said.client_id, said.iss], [true, 'keyfob', server.issuer]);

      await revoke(KEYFOB, tokens[kind]);
      assert.deepEqual(await introspect(API, tokens[kind]), { active: false });
    });
  }

  test('a wrong password gives invalid_grant', async () => {
    const ada = { ...(await signUp()), password: WRONG_PASSWORD };
    const refusal = { ...INVALID_GRANT, error_description: 'Incorrect username or password' };
    await assert.rejects(logIn(KEYFOB, ada), refusal);
  });

  test('a wrong client secret is answered with a Basic challenge', async () => {
    const impostor = [{ client_id: CLIENT_ID }, oauth.ClientSecretBasic('wrong')];
    const refusal = { ...CHALLENGED, cause: [{ scheme: 'basic', parameters: { realm: 'keyfob' } }] };
    await assert.rejects(logIn(impostor, await signUp()), refusal);
  });

  describe('an API checks access tokens by itself', () => {
    function check(accessToken, audience = AUDIENCE) {
      const headers = { Authorization: `Bearer ${accessToken}` };
      const request = new Request('https://api.example/orders', { headers });
      return oauth.validateJwtAccessToken(server, request, audience, { signingAlgorithms: [ALGORITHM], ...HTTP });
    }

    let accessToken;

    before(async () => {
      accessToken = (await logIn(KEYFOB, await signUp())).access_token;
    });

    test('a good one is accepted', async () => {
      const claims = await check(accessToken);
      assert.equal(claims.client_id, 'keyfob');
      assert.equal(claims.scope, 'profile posts');
    });

    test('a forged one is refused', async () => {
      await assert.rejects(check(forge(accessToken)), { message: 'JWT signature verification failed' });
    });

    test('one for another API is refused', async () => {
      await assert.rejects(check(accessToken, 'another-api'), { code: oauth.JWT_CLAIM_COMPARISON });
    });
  });
});
