// Two starts of an app: the first signs in, the second finds the session in the secure store.
import assert from 'node:assert/strict';
import { keyfob } from './app.js';
import { callAtOnce, useAndLogOut } from './drive.js';

if (process.argv[2] === 'log in') {
  assert.equal(await keyfob.isSignedIn(), false);
  await keyfob.login(process.env.EMAIL, process.env.PASSWORD);
  await callAtOnce(keyfob);
} else {
  assert.equal(await keyfob.isSignedIn(), true);
  await useAndLogOut(keyfob);
}
