// The process that works on a store's file for another one, which cannot use SQLite itself.
import { type Call, failureOf } from './calls.ts';
import { LocalEngine } from './local-engine.ts';

const [file = '', isThere, inode] = process.argv.slice(2);
const engine = new LocalEngine(file, { inode });

// A signal to the group is for the other process: what it still asks for shall be done.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

process.on('error', () => {});

process.on('disconnect', () => {
  void engine.close();
});

process.on('message', (call: Call) => {
  // Who asked may have gone.
  void answer(call).then((made) => process.connected && process.send?.(made, () => {}));
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
