import { describe, expect, test } from 'vitest';
import { after as changedAfter } from '../../lib/store/after.ts';
import { MemoryStore } from '../../lib/store/memory-store.ts';

const value = Uint8Array.of(1);
const put = [{ path: 'a/1', expected: undefined, next: value }];

describe('a store whose changes wait for a hook', () => {
  test('makes every kind of change after the hook, and not before', async () => {
    const store = new MemoryStore();
    const seen: (Uint8Array | undefined)[] = [];
    const hooked = changedAfter(async () => void seen.push(await store.get('a/1')), store);
    expect(await hooked.commit(put)).toBe(true);
    expect(await hooked.removeAll('a/')).toBe(1);
    expect(await hooked.lots.clear('pool', put)).toBe(0);
    expect(seen).toEqual([undefined, value, undefined]);
    expect(await store.get('a/1')).toEqual(value);
  });

  test('changes nothing that the hook refuses', async () => {
    const store = new MemoryStore();
    await store.commit(put);
    const hooked = changedAfter(() => Promise.reject(new Error('refused')), store);
    const changes = [{ path: 'a/1', expected: value, next: undefined }];
    await expect(hooked.commit(changes)).rejects.toThrow('refused');
    await expect(hooked.removeAll('a/')).rejects.toThrow('refused');
    await expect(hooked.lots.clear('pool', changes)).rejects.toThrow('refused');
    expect(await store.get('a/1')).toEqual(value);
  });
});
