// A process that takes a wrapped private key, uses it in every way it knows and forgets it. Started
// with --expose-gc and the path of the tests' addon; answers each message when it is done.
import { createRequire } from 'node:module';

const native = createRequire(import.meta.url)(process.argv[2]);
const rootKey = native.openRootKey(Buffer.alloc(32, 7));
const destination = { rootKey, keyId: Buffer.alloc(16, 1), attributes: Buffer.alloc(20) };
const bytes = (text) => Buffer.from(text, 'base64');
let token;

const tasks = {
  async createToken() {
    const made = await native.createImportToken({ ...destination, wrappingKeySpec: 'RSA_2048' });
    token = made.token;
    return Buffer.from(made.publicKey).toString('base64');
  },
  async importAndUse({ spec, wrapped, uses }) {
    const record = await native.importKeyMaterial({
      ...destination,
      token,
      algorithm: 'RSA_AES_KEY_WRAP_SHA_256',
      encryptedKeyMaterial: bytes(wrapped),
      spec,
    });
    const material = native.openKeyMaterial(rootKey, record.header, record.wrapped);
    for (const { operation, ...args } of uses) {
      const { publicKey } = record;
      const message = Buffer.alloc(32, 9);
      const ciphertext =
        operation === 'decryptWithPrivateKey'
          ? await native.encryptWithPublicKey({ publicKey, plaintext: message, ...args })
          : undefined;
      const messageType = 'RAW';
      await native[operation]({ material, publicKey, message, messageType, ciphertext, ...args });
    }
  },
};

process.on('message', async ({ task, ...args }) => {
  const answer = await tasks[task](args);
  // Handles are freed when they are collected; the second round is for their finalizers.
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise(setImmediate);
  }
  process.send({ answer });
});
process.send({ answer: 'ready' });
