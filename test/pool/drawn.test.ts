import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Drawn } from '../../lib/pool/drawn.ts';
import { temporaryFolder } from '../support/folders.ts';

let path: string;
const opened: Drawn[] = [];
function open(file = path): Drawn {
  const drawn = new Drawn(file);
  opened.push(drawn);
  return drawn;
}
function begin(): Drawn {
  const drawn = open();
  drawn.reset();
  return drawn;
}
beforeEach(() => {
  path = `${temporaryFolder()}/store.db-drawn`;
});
afterEach(() => {
  for (const drawn of opened.splice(0)) drawn.close();
});

/** Overwrites the file in place. */
function overwrite(bytes: Uint8Array, at: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

describe('a note of how far pools were drawn', () => {
  it('tells every process, and those that start later, how far each of them was', () => {
    const [first, second] = [begin(), open()];
    expect(first.of('a')).toBe(0);
    first.raise('a', 5);
    first.raise('b', 2 ** 40);
    expect([second.of('a'), second.of('b'), second.of('c')]).toEqual([5, 2 ** 40, 0]);
    second.raise('a', 9);
    expect(first.of('a')).toBe(9);
    expect([open().of('a'), open().of('b')]).toEqual([9, 2 ** 40]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is never lowered', () => {
    const [first, second] = [begin(), open()];
    first.raise('a', 5);
    second.raise('a', 3);
    first.raise('a', 4);
    expect([first.of('a'), second.of('a'), open().of('a')]).toEqual([5, 5, 5]);
  });

  it('has a place for each of many pools, in any order', () => {
    const processes = [begin(), open(), open()];
    for (let i = 0; i < 300; i++) processes[i % 3]?.raise(`pool ${i}`, i + 1);
    const later = open();
    for (let i = 0; i < 300; i++) expect(later.of(`pool ${i}`)).toBe(i + 1);
    expect(statSync(path).size).toBe(48 + 300 * 24);
  });

  it('is kept in memory if the file takes nothing more', () => {
    const drawn = begin();
    drawn.raise('a', 5);
    drawn.close();
    drawn.raise('a', 7);
    expect(drawn.of('a')).toBe(7);
    expect(open().of('a')).toBe(5);
  });

  it('of a store that ends with the process is trusted without a file', () => {
    const drawn = new Drawn(undefined);
    drawn.raise('a', 5);
    expect([drawn.isTrusted, drawn.of('a'), drawn.of('b')]).toEqual([true, 5, 0]);
    drawn.reset();
    expect([drawn.isTrusted, drawn.of('a')]).toEqual([true, 0]);
    drawn.close();
  });
});

describe('the file of that note', () => {
  it('is not made by opening it', () => {
    expect(open().isTrusted).toBe(false);
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    ['is missing', () => rmSync(path)],
    ['is empty', () => truncateSync(path, 0)],
    ['has half a head', () => truncateSync(path, 12)],
    ['is of another form', () => overwrite(Buffer.from('PMDRAWN2'), 0)],
    ['names another file', () => overwrite(Buffer.alloc(8, 7), 8)],
    ['names another birth', () => overwrite(Buffer.alloc(8, 7), 16)],
    ['is all zeros', () => writeFileSync(path, Buffer.alloc(240))],
    [
      'is a folder',
      () => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
    [
      'was replaced by a copy of itself',
      () => {
        copyFileSync(path, `${path}.copy`);
        renameSync(`${path}.copy`, path);
      },
    ],
    [
      'came back from a backup',
      () => {
        const kept = readFileSync(path);
        rmSync(path);
        writeFileSync(path, kept);
        writeFileSync(`${path}.other`, '');
      },
    ],
  ])('is not trusted if it %s', (_how, spoil) => {
    const drawn = begin();
    drawn.raise('a', 5);
    expect(open().isTrusted).toBe(true);
    drawn.close();
    spoil();
    const later = open();
    expect(later.isTrusted).toBe(false);
    expect(later.of('a')).toBe(0);
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      later.reset();
      expect([later.isTrusted, open().isTrusted]).toEqual([true, true]);
    }
  });

  it('is left by those that have it open once another process began anew', () => {
    const [first, second] = [begin(), open()];
    first.raise('a', 5);
    expect(second.of('a')).toBe(5);
    first.reset();
    // What was known of pools stays known, should an older copy of the store come back.
    expect([first.of('a'), first.isTrusted, second.isTrusted]).toEqual([5, true, true]);
    first.raise('b', 3);
    expect(second.of('b')).toBe(3);
  });

  it('is not trusted any more by those that have it open once it was removed', () => {
    const drawn = begin();
    rmSync(path);
    expect([drawn.isTrusted, drawn.isTrusted]).toEqual([false, false]);
  });

  it.each([1, 16, 23])('that ends %d bytes into a place is gone on with there', (more) => {
    const drawn = begin();
    drawn.raise('a', 5);
    overwrite(Buffer.alloc(more, 255), 72);
    const later = open();
    expect(later.of('b')).toBe(0);
    later.raise('b', 6);
    expect([open().of('a'), open().of('b')]).toEqual([5, 6]);
    expect(statSync(path).size).toBe(96);
  });
});
