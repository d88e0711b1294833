import { beforeEach, expect, it } from 'vitest';
import { loadNative, type RootKey } from '../../lib/native/addon.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';
import { sealState } from '../../lib/store/sealed-state.ts';
import { removal, SealedTable, unchanged } from '../../lib/store/sealed-table.ts';

const native = loadNative();
const id = Buffer.alloc(16, 1);
const damagedError = { name: 'KMSInternalException' };

interface Cat {
  readonly name: string;
  readonly lives?: number;
}

let store: MemoryStore;
let rootKey: RootKey;
beforeEach(() => {
  store = new MemoryStore();
  rootKey = native.openRootKey(undefined);
});

function table(member?: string, sealingId = id): SealedTable<Cat> {
  return new SealedTable<Cat>(
    { store, native, rootKey },
    {
      ...(member !== undefined && { member }),
      pathOf: ({ name }) => `cat/${name}`,
      sealingId: () => sealingId,
      rowOf: (row) => row,
    },
  );
}

it.each([
  ['a record as the only member of the state', 'cat', { cat: { name: 'tom' } }],
  ['a record that is the state itself', undefined, { name: 'tom' }],
] as const)('seals %s', (_, member, state) => {
  expect(table(member).insertion({ name: 'tom' }, 3n)).toEqual({
    path: 'cat/tom',
    expected: undefined,
    next: sealState(native, rootKey, id, { sequence: 3n, state }),
  });
});

it('reads what it has inserted, replaced and removed', async () => {
  const cats = table('cat');
  await store.commit([cats.insertion({ name: 'tom', lives: 9 })]);
  const row = await cats.get('cat/tom');
  expect(row).toMatchObject({ path: 'cat/tom', record: { lives: 9 }, sequence: 0n });
  if (row === undefined) return;
  expect(await store.commit([cats.replacement(row, { name: 'tom', lives: 8 }, 1n)])).toBe(true);
  expect(await cats.read('cat/tom')).toMatchObject({ record: { lives: 8 }, sequence: 1n });
  expect(await cats.get('cat/tom')).toMatchObject({ record: { lives: 8 } });
  // Of what was read first, nothing can be changed any more.
  expect(await store.commit([unchanged(row)])).toBe(false);
  expect(await store.commit([removal(row)])).toBe(false);
  const entry = await cats.entry('cat/tom');
  expect(entry && (await store.commit([unchanged(entry)]))).toBe(true);
  expect(entry && (await store.commit([removal(entry)]))).toBe(true);
  expect(await cats.get('cat/tom')).toBeUndefined();
  expect(await cats.entry('cat/tom')).toBeUndefined();
});

it('lists the rows after a name', async () => {
  const cats = table('cat');
  await store.commit(['a', 'b', 'c', 'd'].map((name) => cats.insertion({ name })));
  const rows = await cats.list('cat/', { after: 'a', limit: 2 });
  expect(rows.map(({ record }) => record.name)).toEqual(['b', 'c']);
});

it('refuses a record of another kind, of another id or from another path', async () => {
  const cats = table('cat');
  const { next } = cats.insertion({ name: 'tom' });
  const value = next as Uint8Array;
  const path = 'cat/tom';
  expect(cats.open({ path, value }).record).toEqual({ name: 'tom' });
  expect(() => table('dog').open({ path, value })).toThrow(expect.objectContaining(damagedError));
  expect(() => table('cat', Buffer.alloc(16, 2)).open({ path, value })).toThrow(
    expect.objectContaining(damagedError),
  );
  expect(() => cats.open({ path: 'cat/tim', value })).toThrow(
    expect.objectContaining(damagedError),
  );
});

it('hands out an entry as it is stored, damaged or not', async () => {
  const cats = table('cat');
  const value = new Uint8Array([1]);
  await store.commit([{ path: 'cat/tom', expected: undefined, next: value }]);
  const entry = await cats.entry('cat/tom');
  expect(entry).toEqual({ path: 'cat/tom', value });
  await expect(cats.read('cat/tom')).rejects.toThrow(expect.objectContaining(damagedError));
  await expect(cats.get('cat/tom')).rejects.toThrow(expect.objectContaining(damagedError));
});
