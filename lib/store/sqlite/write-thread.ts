// Writes to a store's file in a thread of its own, so that the event loop does not wait for the
// disk.
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import type { StoredLot } from '../lot-store.ts';
import { type Answer, type Call, failureOf } from './calls.ts';
import { Writer } from './writer.ts';

const port = parentPort as MessagePort;
const { file, inode } = workerData as { readonly file: string; readonly inode?: string };
let writer: Writer | undefined;

port.on('message', (first: Call) => {
  const calls = [first];
  // Calls that have arrived meanwhile share the transaction.
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
    calls.push(next.message as Call);
  }
  const answers = answer(calls);
  port.postMessage(answers, answers.flatMap(buffersOf));
  if (!calls.some(({ method }) => method === 'close')) return;
  port.close();
});

/** The buffers of lots that were taken: handed over, because copying them costs a claim a tenth of its time. */
function buffersOf({ result }: Answer): ArrayBuffer[] {
  const { lots = [] } = (result ?? {}) as { readonly lots?: readonly StoredLot[] };
  return lots.flatMap(({ value: { buffer, byteLength } }) =>
    // A view of a larger buffer may share it with others.
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
  );
}

function answer(calls: readonly Call[]): Answer[] {
  const asked = calls.filter(({ method }) => method !== 'make' && method !== 'close');
  try {
    const mayMake = calls.some(({ method }) => method === 'make');
    writer ??= new Writer(file, { mayMake, inode });
    const answers = writer.run(asked);
    const others = calls.filter((call) => !asked.includes(call));
    if (others.some(({ method }) => method === 'close')) writer.close();
    return [...answers, ...others.map(({ id }) => ({ id }))];
  } catch (error) {
    return calls.map(({ id, method }) => (method === 'close' ? { id } : failureOf(id, error)));
  }
}
