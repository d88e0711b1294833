import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/folders.ts';
import { serve } from '../support/pairmint-process.ts';
import { answered, bytesOf, connect } from './raw.ts';

const count = 50;

async function receivedOf(socket: Socket): Promise<string> {
  let received = '';
  socket.on('data', (data) => {
    received += data.toString('latin1');
  });
  await once(socket, 'close');
  return received;
}

// A process that stands still finds everything at once when it goes on: connections to accept, the
// requests that were sent on them, and the signal.
it.runIf(process.platform !== 'win32')(
  'requests that a busy server has not read when it is told to end are answered',
  async () => {
    const server = await serve({ PAIRMINT_HOME: temporaryFolder() }, '--no-auth');
    const open = Array.from({ length: count }, () => connect(server.url));
    await Promise.all(open.map((socket) => once(socket, 'connect')));
    await setTimeout(200);
    server.child.kill('SIGSTOP');
    const late = Array.from({ length: count }, () => connect(server.url));
    await Promise.all(late.map((socket) => once(socket, 'connect')));
    const received = [...open, ...late].map((socket) => {
      socket.write(bytesOf('ListKeys'));
      return receivedOf(socket);
    });
    await setTimeout(200);
    server.child.kill('SIGTERM');
    server.child.kill('SIGCONT');
    const answers = await Promise.all(received);
    for (const answer of answers) expect(answered(answer)).toEqual(['200']);
    // The others were answered before the signal was.
    expect(answers.join()).toMatch(/Connection: close\r\n/);
    expect(await server.ended).toMatchObject({ code: 0 });
  },
);
