// A process on pools, for tests that share them between several and kill some. Arguments: the
// store's URL, the root key file, what to do, and the key; what is answered is a line on stdout.
import { Pairmint } from '../../dist/index.js';

const [store, file, task, KeyId, KeyPairSpec] = process.argv.slice(2);
const pool = { KeyId, KeyPairSpec };

const tasks = {
  async take(kms) {
    for (;;) {
      const { PublicKey, PrivateKeyCiphertextBlob } =
        await kms.generateDataKeyPairWithoutPlaintext(pool);
      const texts = [PublicKey, PrivateKeyCiphertextBlob].map((bytes) =>
        Buffer.from(bytes).toString('base64'),
      );
      await say(texts.join(' '));
    }
  },
  async fill(kms) {
    for (;;) {
      const added = await kms.pools.fill({ pool });
      if (added > 0) await say(`FILLED ${added}`);
      else await new Promise((done) => setTimeout(done, 5));
    }
  },
};

function say(line) {
  return new Promise((done) => process.stdout.write(`${line}\n`, done));
}

try {
  const kms = await Pairmint.open({ store, rootKey: { file }, refillPools: false });
  await say('READY');
  await tasks[task](kms);
} catch (error) {
  await say(
    `FAILED ${error.name}: ${error.message}${error.cause ? ` ${error.cause.message}` : ''}`,
  );
  process.exitCode = 1;
}
