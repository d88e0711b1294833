// A process that mints what it is told and stays: { operation, spec } in, the blob out.
import { Pairmint } from '../../dist/index.js';

const [store, file] = process.argv.slice(2);
const kms = await Pairmint.open({ store, rootKey: { file } });

process.on('message', async ({ operation, spec }) => {
  const pair = await kms.call(operation, { KeyId: 'alias/pairmint/default', KeyPairSpec: spec });
  process.send({ blob: Buffer.from(pair.PrivateKeyCiphertextBlob).toString('base64') });
});
process.send({ ready: true });
