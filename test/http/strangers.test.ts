import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { residentMemory, startServer } from '../support/server-process.mjs';
import { answered, bytesOf, connect, exchange, lastOne } from './raw.ts';

const count = 500;
const maxConnections = 100;

let server: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  server = await startServer('--log-level', 'silent');
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});

const health = `GET /healthz HTTP/1.1\r\nhost: x\r\n${lastOne}\r\n`;

it.runIf(process.platform === 'linux')(
  'unfinished bodies of clients without an access key take no memory, and the server does not wait for them',
  async () => {
    expect(answered(await exchange(server.url, health))).toEqual(['200']);
    const before = residentMemory(server.pid);
    const part = Buffer.alloc(0.94 * 2 ** 20, 'x');
    const head = bytesOf('ListKeys')
      .replace(/length: \d+/, 'length: 1048576')
      .slice(0, -2);
    const sockets = await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connect(server.url).resume();
        socket.on('error', () => {});
        await once(socket, 'connect');
        socket.write(head);
        socket.write(part);
        return socket;
      }),
    );
    let highest = 0;
    for (let i = 0; i < 20; i++) {
      const began = performance.now();
      expect(answered(await exchange(server.url, health))).toEqual(['200']);
      expect(performance.now() - began).toBeLessThan(2000);
      highest = Math.max(highest, residentMemory(server.pid));
    }
    for (const socket of sockets) socket.destroy();
    expect(highest - before).toBeLessThan(maxConnections);
  },
);
