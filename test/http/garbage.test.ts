import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openLoad } from '../bench/load.mjs';
import { bytesOf } from './raw.ts';

const script = fileURLToPath(new URL('./garbage-server.mjs', import.meta.url));

// What outlives a request that is answered is collected together with all memory, in many times the
// time. With a set of the responses under way, half of what requests leave did.
it('the memory of a request is collected while it is young', async () => {
  const child = fork(script);
  const [{ port, keyId }] = (await once(child, 'message')) as [{ port: number; keyId: string }];
  const fullCollections = async () => {
    child.send('count');
    return (await once(child, 'message'))[0] as number;
  };
  const load = await openLoad(port, 16);
  const requests = [Buffer.from(bytesOf('GenerateDataKey', { KeyId: keyId, KeySpec: 'AES_256' }))];
  await load.run(requests, 10_000);
  const before = await fullCollections();
  await load.run(requests, 50_000);
  const after = await fullCollections();
  load.close();
  child.kill();
  expect(after - before).toBeLessThanOrEqual(3);
}, 120_000);
