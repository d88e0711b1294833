import { once } from 'node:events';
import net from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { callHeaders } from './support.ts';

/** Asks for the connection to be closed behind a request. */
export const lastOne = 'Connection: close\r\n';

/** The bytes of a call. */
export function bytesOf(operation: string, members: object = {}, more = ''): string {
  const body = JSON.stringify(members);
  const headers = Object.entries({
    ...callHeaders(operation),
    host: '127.0.0.1',
    'content-length': String(Buffer.byteLength(body)),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST / HTTP/1.1\r\n${headers.join('')}${more}\r\n${body}`;
}

/** A pause between two pieces that are sent. */
export function pause(milliseconds: number): () => Promise<void> {
  return () => setTimeout(milliseconds);
}

/** Sends all pieces, and collects the server's bytes until it closes the connection. */
export async function exchange(
  to: string,
  ...sent: (string | Buffer | (() => Promise<void>))[]
): Promise<string> {
  const socket = connect(to);
  let received = '';
  socket.on('data', (data) => {
    received += data.toString('latin1');
  });
  // A server that closes while it is being written to resets the connection.
  socket.on('error', () => {});
  await once(socket, 'connect');
  for (const part of sent) {
    if (typeof part === 'function') await part();
    else socket.write(part);
  }
  // Not `once` of node:events, which an error ends, too.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return received;
}

export function connect(to: string): net.Socket {
  const { hostname, port } = new URL(to);
  return net.connect(Number(port), hostname);
}

/** The statuses of the answers among the bytes that were received. */
export function answered(data: string): string[] {
  return [...data.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status = '']) => status);
}
