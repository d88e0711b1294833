// Works on a store's file for another process, which has no SQLite of its own.
import { type Call, failureOf } from './calls.ts';
import { LocalEngine } from './local-engine.ts';

const [file = '', isThere, inode] = process.argv.slice(2);
const engine = new LocalEngine(file, { inode });

// A signal to the process group is meant for the other process, which may still send calls.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

process.on('error', () => {});

process.on('disconnect', () => {
  void engine.close();
});

process.on('message', (call: Call) => {
  // The other process may have ended.
  void answer(call).then((reply) => process.connected && process.send?.(reply, () => {}));
});

async function answer({ id, method, args }: Call) {
  try {
    if (method === 'open')
      return { id, result: await engine.open({ isThere: isThere === 'true' }) };
    return { id, result: await engine.call(method, args) };
  } catch (error) {
    return failureOf(id, error);
  }
}
