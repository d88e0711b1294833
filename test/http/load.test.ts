import { afterAll, beforeAll, expect, it } from 'vitest';
import { openLoad } from '../support/http-load.mjs';
import { openFiles, startServer } from '../support/server-process.mjs';

const connections = 200;

let server: Awaited<ReturnType<typeof startServer>>;
let load: Awaited<ReturnType<typeof openLoad>>;

beforeAll(async () => {
  server = await startServer();
  const credentials = await server.accessKey();
  load = await openLoad({ url: server.url, credentials, connections });
});
afterAll(async () => {
  load.close();
  expect(await server.stop()).toBe(0);
});

// The long version, with an eye on memory, is test/soak/http-soak.mjs.
it('a thousand requests over 200 connections get an answer, each its own', async () => {
  const count = 1000;
  const before = process.platform === 'linux' ? openFiles(server.pid) : 0;
  expect(await load.run(count)).toEqual({ answered: count, failures: [] });
  if (process.platform !== 'linux') return;
  // Those that made the keys were there before.
  expect(openFiles(server.pid) - before).toBeGreaterThanOrEqual(connections - load.keys.length);
  load.close();
  await expect.poll(() => openFiles(server.pid), { timeout: 20_000 }).toBeLessThan(before);
}, 240_000);
