// In place of the real one, which needs a phone: the same three functions, on a file.
import { readFile, rm, writeFile } from 'node:fs/promises';

const file = (name) => `secure-store.${name}`;

export async function getItemAsync(name) {
  return readFile(file(name), 'utf8').catch(() => null);
}

export async function setItemAsync(name, value) {
  if (typeof value !== 'string') throw new Error('the value must be a string');
  await writeFile(file(name), value, { mode: 0o600 });
}

export async function deleteItemAsync(name) {
  await rm(file(name), { force: true });
}
