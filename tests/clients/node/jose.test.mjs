// jose: an API checks access tokens by itself, with the address of the public keys.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { ALGORITHM, AUDIENCE, BASE_URL, JWKS, forge, getAccessToken } from './service.mjs';

const RULES = {
  algorithms: [ALGORITHM],
  audience: AUDIENCE,
  issuer: BASE_URL,
  typ: 'at+jwt',
  requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id', 'scope', 'sid'],
};
const OTHERS = {
  aud: { audience: 'another-api' },
  iss: { issuer: 'https://another.example' },
  typ: { typ: 'JWT' },
};
const keys = createRemoteJWKSet(JWKS);

describe('jose', () => {
  let accessToken;

  before(async () => {
    accessToken = await getAccessToken();
  });

  test('an access token verifies', async () => {
    const { payload } = await jwtVerify(accessToken, keys, RULES);
    assert.equal(payload.client_id, 'keyfob');
    assert.equal(payload.scope, 'profile posts');
  });

  test('a forged token is refused', async () => {
    await assert.rejects(jwtVerify(forge(accessToken), keys, RULES), errors.JWSSignatureVerificationFailed);
  });

  for (const [claim, rule] of Object.entries(OTHERS)) {
    test(`a token of another ${claim} is refused`, async () => {
      const refusal = { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED', claim };
      await assert.rejects(jwtVerify(accessToken, keys, { ...RULES, ...rule }), refusal);
    });
  }
});
