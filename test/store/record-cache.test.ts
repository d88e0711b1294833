import { beforeEach, expect, it, vi } from 'vitest';
import { MemoryStore } from '../../lib/store/memory-store.ts';
import { RecordCache } from '../../lib/store/record-cache.ts';

let store: MemoryStore;
const open = vi.fn((path: string, bytes: Uint8Array, before: string | undefined) => {
  const text = Buffer.from(bytes).toString('latin1');
  if (text === 'damaged') throw new Error(path);
  return before === undefined ? text : `${text} after ${before}`;
});
let cache: RecordCache<string>;
beforeEach(() => {
  store = new MemoryStore();
  open.mockClear();
  cache = new RecordCache(store, open);
});

async function put(path: string, text: string | undefined) {
  const next = text === undefined ? undefined : Buffer.from(text, 'latin1');
  await store.commit([{ path, expected: await store.get(path), next }]);
}

it('reads nothing while nothing is committed', async () => {
  await put('a', '1');
  const get = vi.spyOn(store, 'get');
  expect(cache.peek('a')).toBeUndefined();
  expect([await cache.get('a'), await cache.get('a')]).toEqual(['1', '1']);
  expect(cache.peek('a')?.record).toBe('1');
  expect([await cache.get('b'), await cache.get('b')]).toEqual([undefined, undefined]);
  expect(cache.peek('b')).toMatchObject({ record: undefined });
  expect(get).toHaveBeenCalledTimes(2);
});

it('opens a record again only if its bytes have changed, and tells what was there', async () => {
  await put('a', '1');
  await cache.get('a');
  await put('b', '1');
  expect(cache.peek('a')).toBeUndefined();
  expect(await cache.get('a')).toBe('1');
  expect(open).toHaveBeenCalledTimes(1);
  await put('a', '2');
  expect(await cache.get('a')).toBe('2 after 1');
  await put('a', undefined);
  expect(await cache.get('a')).toBeUndefined();
  await put('a', '3');
  expect(await cache.get('a')).toBe('3');
});

it('opens a record anew after it was told to forget it', async () => {
  await put('a', '1');
  await cache.get('a');
  cache.forget('a');
  expect(cache.peek('a')).toBeUndefined();
  expect(await cache.get('a')).toBe('1');
  expect(open).toHaveBeenCalledTimes(2);
});

it('does not answer after a commit with what was read before it', async () => {
  await put('a', '1');
  const { get } = store;
  vi.spyOn(store, 'get').mockImplementationOnce(async (path) => {
    const value = await get.call(store, path);
    await put('a', '2');
    return value;
  });
  expect(await cache.get('a')).toBe('1');
  expect(cache.peek('a')).toBeUndefined();
  expect(await cache.get('a')).toBe('2 after 1');
});

it('reads every time if the store cannot tell what holds', async () => {
  await put('a', '1');
  vi.spyOn(store, 'stamp').mockReturnValue(undefined as never);
  const get = vi.spyOn(store, 'get');
  expect([await cache.get('a'), await cache.get('a')]).toEqual(['1', '1']);
  expect(cache.peek('a')).toBeUndefined();
  expect(get).toHaveBeenCalledTimes(2);
  expect(open).toHaveBeenCalledTimes(1);
});

it('remembers no record that cannot be opened', async () => {
  await put('a', 'damaged');
  await expect(cache.get('a')).rejects.toThrow('a');
  expect(cache.peek('a')).toBeUndefined();
  await put('a', '1');
  expect(await cache.get('a')).toBe('1');
});

it('passes on how the store fails, and reads again when it has recovered', async () => {
  await put('a', '1');
  const failure = new Error('disk');
  vi.spyOn(store, 'get').mockRejectedValueOnce(failure);
  await expect(cache.get('a')).rejects.toBe(failure);
  expect(cache.peek('a')).toBeUndefined();
  expect(await cache.get('a')).toBe('1');
});

it('reads from the store if asked to read afresh, whatever it remembers', async () => {
  await put('a', '1');
  await cache.get('a');
  const get = vi.spyOn(store, 'get');
  expect(await cache.fresh('a')).toBe('1');
  expect(get).toHaveBeenCalledTimes(1);
  expect(open).toHaveBeenCalledTimes(1);
});

it('remembers what was read elsewhere for as long as its stamp holds', async () => {
  await put('a', '1');
  const stamp = store.stamp();
  const value = Buffer.from('1', 'latin1');
  expect(cache.take({ path: 'a', value }, stamp)).toBe('1');
  expect(cache.peek('a')?.record).toBe('1');
  await put('b', '1');
  expect(cache.take({ path: 'a', value }, stamp)).toBe('1');
  expect(cache.peek('a')).toBeUndefined();
  expect(open).toHaveBeenCalledTimes(1);
});

it('lets go of everything when it is told to', async () => {
  await put('a', '1');
  await cache.get('a');
  cache.forgetAll();
  expect(cache.peek('a')).toBeUndefined();
  expect(await cache.get('a')).toBe('1');
  expect(open).toHaveBeenCalledTimes(2);
});

it('loses no record to names of nothing that are asked for', async () => {
  await put('a', '1');
  await cache.get('a');
  for (let i = 0; i < 5000; i++) await cache.get(`absent ${i}`);
  expect(cache.peek('a')?.record).toBe('1');
});
