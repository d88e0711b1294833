import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Reads a file of test/vectors; its origin and licence stand in NOTICE. */
export function readVectors<T>(name: string): T {
  const file = fileURLToPath(new URL(`../vectors/${name}`, import.meta.url));
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

export function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
