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
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Drawn } from '../../lib/pool/drawn.ts';
import { raiseAt } from '../../lib/store/drawn-file.ts';
import { SqliteStore } from '../../lib/store/sqlite/sqlite-store.ts';
import { temporaryFolder } from '../support/folders.ts';

/** What another process does right after this one has opened the file. */
let claimMeanwhile = () => {};
vi.mock('../../lib/store/drawn-file.ts', async (original) => {
  const real = await original<typeof import('../../lib/store/drawn-file.ts')>();
  const openAnyway: typeof real.openAnyway = (name) => {
    const file = real.openAnyway(name);
    claimMeanwhile();
    return file;
  };
  return { ...real, openAnyway };
});

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
  claimMeanwhile = () => {};
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

describe('a note of how far the pools of a store in a file were drawn', () => {
  const storeId = Buffer.alloc(16, 1);
  async function openStores() {
    const file = path.replace(/-drawn$/, '');
    const stores = [await SqliteStore.open(file), await SqliteStore.open(file)] as const;
    onTestFinished(async () => {
      for (const each of stores) await each.close();
    });
    const change = { path: 'record', expected: undefined, next: Buffer.from('1') };
    await stores[0].commit([change]);
    return stores;
  }

  it('has every pool that processes drew from at the same moment', async () => {
    const stores = await openStores();
    begin();
    const pools = Array.from({ length: 20 }, (_, i) => `pool ${i}/`);
    const unchanged = { path: 'record', value: Buffer.from('1') };
    for (const pool of pools) {
      const lots = [1, 2, 3, 4].map((serial) => ({ serial, pairs: 1, value: Buffer.from('x') }));
      await stores[0].lots.add({ pool, lots, unchanged, filler: 'me' });
    }
    // Nobody raises it but those who take, under their lock.
    await Promise.all(
      pools.flatMap((pool) => [0, 1, 2, 3].map((n) => stores[n % 2]?.lots.take(pool, 1))),
    );
    const later = open();
    expect(pools.map((pool) => later.of(pool))).toEqual(pools.map(() => 4));
    expect(statSync(path).size).toBe(48 + 20 * 24);
  });

  it('is trusted though others claim whenever it is opened', () => {
    begin();
    let claims = 0;
    claimMeanwhile = () => {
      if (claims < 3) raiseAt(path, 'a', ++claims);
    };
    const drawn = open();
    expect([drawn.isTrusted, drawn.of('a'), claims]).toEqual([true, 3, 3]);
  });

  it('has another inode after each claim, so that an earlier copy written over it is known', async () => {
    const stores = await openStores();
    begin();
    const lots = [1, 2].map((serial) => ({ serial, pairs: 1, value: Buffer.from('x') }));
    const unchanged = { path: 'record', value: Buffer.from('1') };
    await stores[0].lots.add({ pool: 'a/', lots, unchanged, filler: 'me' });
    await stores[0].lots.take('a/', 1);
    const copy = readFileSync(path);
    expect(open().isTrusted).toBe(true);
    overwrite(copy, 0);
    expect(open().isTrusted).toBe(true);
    await stores[1].lots.take('a/', 1);
    expect([open().isTrusted, open().of('a/')]).toEqual([true, 2]);
    overwrite(copy, 0);
    expect(open().isTrusted).toBe(false);
  });

  it('that belongs to no store here still belongs to none after a claim', async () => {
    const stores = await openStores();
    begin();
    overwrite(Buffer.alloc(8, 7), 16);
    const lots = [{ serial: 1, pairs: 1, value: Buffer.from('x') }];
    const unchanged = { path: 'record', value: Buffer.from('1') };
    await stores[0].lots.add({ pool: 'a/', lots, unchanged, filler: 'me' });
    await stores[0].lots.take('a/', 1);
    expect(open().isTrusted).toBe(false);
  });

  it('vouches for the later of two fences, in either order, and for no other store', async () => {
    const stores = await openStores();
    const drawnOf = (fence: bigint, id = storeId) => {
      const drawn = new Drawn(path, { storeId: id, fence: () => fence });
      opened.push(drawn);
      return drawn;
    };
    const [early, late, other] = [drawnOf(5n), drawnOf(6n), drawnOf(4n, Buffer.alloc(16, 2))];
    await early.resetIn(stores[0].lots);
    expect(early.isTrusted).toBe(true);
    early.raise('a', 3);
    await late.resetIn(stores[0].lots);
    await early.resetIn(stores[1].lots);
    expect([early.isTrusted, late.isTrusted, late.of('a')]).toEqual([false, true, 3]);
    await other.resetIn(stores[1].lots);
    expect([late.isTrusted, other.isTrusted, other.of('a')]).toEqual([false, true, 3]);
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

  it('is left by the processes that have it open when another process begins anew', () => {
    const [first, second] = [begin(), open()];
    first.raise('a', 5);
    expect(second.of('a')).toBe(5);
    first.reset();
    // What was known of pools stays known, should an older copy of the store come back.
    expect([first.of('a'), first.isTrusted, second.isTrusted]).toEqual([5, true, true]);
    first.raise('b', 3);
    expect(second.of('b')).toBe(3);
  });

  it('is not trusted any more, once removed, by the processes that have it open', () => {
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
