// The story that each client is driven through.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Keyfob } from './keyfob.js';

const { BASE_URL, EMAIL, PASSWORD, AT_ONCE, WAIT_SECONDS } = process.env;

export async function callAtOnce(keyfob) {
  const answers = await Promise.all(Array.from({ length: Number(AT_ONCE) }, () => keyfob.fetch('/me')));
  for (const answer of answers) {
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).email, EMAIL);
  }
}

/** From the first call on. */
export async function useAndLogOut(keyfob) {
  await callAtOnce(keyfob);
  await sleep(Number(WAIT_SECONDS) * 1000);
  await callAtOnce(keyfob);
  assert.equal(await keyfob.isSignedIn(), true);
  await keyfob.logout();
  assert.equal(await keyfob.isSignedIn(), false);
  await assert.rejects(keyfob.fetch('/me'), { code: 'invalid_grant' });
}

if (import.meta.url.endsWith(process.argv[1].split('/').pop())) {
  const keyfob = new Keyfob(BASE_URL);
  await keyfob.login(EMAIL, PASSWORD);
  await useAndLogOut(keyfob);
}
