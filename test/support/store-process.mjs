// A process on a store, for tests that share one between several or take one away. Arguments:
// the store's URL, the root key file, and what to do; each finished step is one line on stdout.
import { Pairmint } from '../../dist/index.js';
// Loaded before the process gives up its rights.
import '../../dist/store/sqlite/sqlite-store.js';

const [store, file, task, ...args] = process.argv.slice(2);
const open = () => Pairmint.open({ store, rootKey: { file } });

const tasks = {
  async createKeys(kms, count) {
    for (let i = 0; i < Number(count); i++) {
      const { KeyMetadata } = await kms.createKey({ Description: 'x'.repeat(2000) });
      await say(KeyMetadata.KeyId);
    }
  },
  async claimAliases(kms, count) {
    const { KeyMetadata } = await kms.createKey({});
    for (let i = 0; i < Number(count); i++) {
      const AliasName = `alias/claim-${i}`;
      const won = await kms.createAlias({ AliasName, TargetKeyId: KeyMetadata.KeyId }).then(
        () => true,
        (error) => {
          if (error.name !== 'AlreadyExistsException') throw error;
          return false;
        },
      );
      if (won) await say(`${AliasName} ${KeyMetadata.KeyId}`);
    }
  },
  /** As if it were `now`. */
  async listRotations(kms, KeyId, now) {
    Date.now = () => Number(now);
    const { Rotations } = await kms.listKeyRotations({ KeyId });
    for (const { RotationDate, KeyMaterialId } of Rotations) {
      await say(`${RotationDate.toISOString()} ${KeyMaterialId}`);
    }
  },
  async useDefaultKey(kms) {
    const { KeyMetadata } = await kms.describeKey({ KeyId: 'alias/pairmint/default' });
    await say(KeyMetadata.KeyId);
  },
};

function say(line) {
  return new Promise((done) => process.stdout.write(`${line}\n`, done));
}

// Root may write anywhere; the tests of read-only folders need somebody who may not.
if (process.env.TEST_AS_NOBODY && process.getuid() === 0) process.setuid(65534);

try {
  const kms = await open();
  await tasks[task](kms, ...args);
  await kms.close();
} catch (error) {
  await say(`FAILED ${error.name}: ${error.message}`);
  if (error.cause) await say(`CAUSE ${error.cause.message}`);
  process.exitCode = 1;
}
