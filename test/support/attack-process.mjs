// A process that uses a store while a test attacks it. Arguments: the store's URL, the root key file,
// and what to do. Each acknowledged step is a line on stdout; a line that begins with `?` says what is
// about to be asked for, one with `F` what failed.
import { openSync, readSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Pairmint } from '../../dist/index.js';
import { loadEngine } from '../../dist/store/sqlite/engine.js';

const [store, file, task, ...args] = process.argv.slice(2);
const open = () => Pairmint.open({ store, rootKey: { file }, refillPools: false });
const GranteePrincipal = 'arn:aws:iam::000000000000:role/grantee';

const tasks = {
  /** Makes keys and changes them, in several lanes that share commits. */
  async commit(lanes = '3') {
    const kms = await open();
    await say('READY');
    await Promise.all(Array.from({ length: Number(lanes) }, () => commitForEver(kms)));
  },
  /** Opens the store and closes it, again and again. */
  async open() {
    await say('READY');
    for (;;) {
      await attempt('O', async () => {
        const kms = await open();
        await kms.describeKey({ KeyId: 'alias/pairmint/default' });
        await kms.close();
      });
    }
  },
  /** As other programs do that know SQLite and not pairmint. */
  async visit() {
    const { DatabaseSync } = loadEngine();
    await say('READY');
    for (;;) {
      await attempt('V', async () => {
        const database = new DatabaseSync(store.slice('sqlite:'.length), { timeout: 5000 });
        // No statement that is left over keeps it from being closed.
        database.exec('select count(*) from record');
        database.close();
      });
      await pause(50);
    }
  },
  /**
   * Has the preloaded faults.c make one call after the other fail, of those that some steps take to
   * write, and then all of them for a while; once nothing fails any more, everything must work again.
   */
  async faults(KeyId, KeyPairSpec, rounds) {
    const pool = { KeyId, KeyPairSpec };
    const faults = faultControl();
    let kms = await open();
    let last = KeyId;
    const steps = [
      () => attempt('K', async () => (last = (await kms.createKey({})).KeyMetadata.KeyId)),
      () =>
        attempt('D', async () => {
          const one = last;
          await say(`? ${one}`);
          await kms.disableKey({ KeyId: one });
          return one;
        }),
      () => attempt('N', () => kms.pools.fill({ pool })),
      () =>
        attempt('P', async () => {
          const { PublicKey } = await kms.generateDataKeyPairWithoutPlaintext(pool);
          return Buffer.from(PublicKey).toString('base64');
        }),
      // Claimed pairs are put back.
      () =>
        attempt('C', async () => {
          await kms.close();
        }),
      () =>
        attempt('O', async () => {
          await kms.close();
          kms = await open();
        }),
    ];
    const mend = async () => {
      faults.set({ after: 0, error: 0, once: false });
      for (const step of [steps[5], steps[0]]) {
        if ((await step()) === undefined && step === steps[0]) await say('STUCK');
      }
    };
    for (const [error, once] of [
      [5, true],
      [28, true],
      [5, false],
      [28, false],
    ]) {
      for (const step of steps) {
        // One after the other; where all of the following fail, some will do.
        for (let after = 0; after < 40; after += once && steps.indexOf(step) < 4 ? 1 : 4) {
          faults.set({ after, error, once });
          await step();
          if (faults.hits() === 0) break;
          // First without anything new.
          faults.set({ after: 0, error: 0, once: false });
          if (steps.indexOf(step) < 4 && (await steps[0]()) === undefined) await say('STUCK');
        }
        await mend();
      }
    }
    for (let i = 0; i < Number(rounds); i++) {
      faults.set({ after: 300 * Math.random(), error: i % 2 ? 5 : 28, once: false });
      for (let failed = 0, n = 0; failed < 3 && n < 300; n++) {
        if ((await steps[n % 4]()) === undefined && faults.hits() > 0) failed++;
      }
      await mend();
    }
    await kms.close();
    await say('DONE');
  },
  async take(KeyId, KeyPairSpec) {
    const kms = await open();
    await say('READY');
    const lane = async () => {
      for (;;) {
        await attempt('P', async () => {
          const pair = await kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec });
          return Buffer.from(pair.PublicKey).toString('base64');
        });
      }
    };
    await Promise.all([lane(), lane()]);
  },
  async fill(KeyId, KeyPairSpec) {
    const kms = await open();
    await say('READY');
    for (;;) {
      const added = await attempt('N', () => kms.pools.fill({ pool: { KeyId, KeyPairSpec } }));
      if (!added) await pause(5);
    }
  },
  /** Encrypts by a known key, and says how long each took. */
  async seal(KeyId) {
    const kms = await open();
    await say('READY');
    for (;;) {
      const from = performance.now();
      await attempt('S', async () => {
        const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
        await kms.decrypt({ CiphertextBlob });
        return Math.ceil(performance.now() - from);
      });
      await pause(5);
    }
  },
};

async function commitForEver(kms) {
  for (let i = 0; ; i++) {
    const KeyId = await attempt('K', async () => {
      const { KeyMetadata } = await kms.createKey({ Description: 'x'.repeat(500) });
      return KeyMetadata.KeyId;
    });
    if (KeyId === undefined) continue;
    const GrantId = await attempt('G', async () => {
      const grant = { KeyId, GranteePrincipal, Operations: ['Encrypt'] };
      return `${KeyId} ${(await kms.createGrant(grant)).GrantId}`;
    });
    if (i % 3 === 0 && GrantId !== undefined) {
      await attempt('R', async () => {
        await say(`? ${GrantId}`);
        await kms.revokeGrant({ KeyId, GrantId: GrantId.split(' ')[1] });
        return GrantId;
      });
    } else if (i % 3 === 1) {
      await attempt('D', async () => {
        await say(`? ${KeyId}`);
        await kms.disableKey({ KeyId });
        return KeyId;
      });
    }
  }
}

/** What faults.c reads. */
function faultControl() {
  const file = openSync(process.env.FAULT_CONTROL, 'r+');
  const put = (at, value) => writeSync(file, Int32Array.of(value), 0, 4, 4 * at);
  return {
    set({ after, error, once }) {
      put(1, 0);
      put(0, after);
      put(2, once ? 1 : 0);
      put(3, 0);
      put(1, error);
    },
    hits() {
      const hits = new Int32Array(1);
      readSync(file, hits, 0, 4, 12);
      return hits[0];
    },
  };
}

/** Says what an attempt gave, or that it failed, and goes on. */
async function attempt(mark, run) {
  try {
    const result = await run();
    await say(`${mark} ${result}`);
    return result;
  } catch (error) {
    await say(`F ${mark} ${error.name}: ${error.message} ${error.cause?.message ?? ''}`);
    await pause(5);
    return undefined;
  }
}

function say(line) {
  return new Promise((done) => process.stdout.write(`${line}\n`, done));
}

try {
  await tasks[task](...args);
} catch (error) {
  await say(`FAILED ${error.name}: ${error.message} ${error.cause?.message ?? ''}`);
  process.exitCode = 1;
}
