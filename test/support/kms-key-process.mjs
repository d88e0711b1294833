// A process that makes, imports and uses KMS keys as it is told: { task, request } in, { answer }
// out. Started with --expose-gc, the store and the file of its root key.
import { Pairmint } from '../../dist/index.js';

const [store, file] = process.argv.slice(2);
const kms = await Pairmint.open({ store, rootKey: { file } });
const kept = [];
const bytes = (text) => Buffer.from(text, 'base64');
const text = (value) => Buffer.from(value).toString('base64');
const Message = Buffer.from('a message');

const uses = {
  async SIGN_VERIFY(KeyId, SigningAlgorithm) {
    const { Signature } = await kms.sign({ KeyId, Message, SigningAlgorithm });
    await kms.verify({ KeyId, Message, SigningAlgorithm, Signature });
  },
  async ENCRYPT_DECRYPT(KeyId, EncryptionAlgorithm) {
    const request = { KeyId, EncryptionAlgorithm };
    const { CiphertextBlob } = await kms.encrypt({ ...request, Plaintext: Message });
    await kms.decrypt({ ...request, CiphertextBlob });
  },
  async KEY_AGREEMENT(KeyId, KeyAgreementAlgorithm) {
    const { PublicKey } = await kms.getPublicKey({ KeyId });
    await kms.deriveSharedSecret({ KeyId, KeyAgreementAlgorithm, PublicKey });
  },
};

const tasks = {
  async create({ KeySpec, KeyUsage, Origin }) {
    const { KeyMetadata } = await kms.createKey({ KeySpec, KeyUsage, Origin });
    return { KeyId: KeyMetadata.KeyId };
  },
  async parametersForImport({ KeyId }) {
    const WrappingAlgorithm = 'RSA_AES_KEY_WRAP_SHA_256';
    const request = { KeyId, WrappingAlgorithm, WrappingKeySpec: 'RSA_2048' };
    const { PublicKey, ImportToken } = await kms.getParametersForImport(request);
    return { publicKey: text(PublicKey), token: text(ImportToken) };
  },
  async import({ KeyId, token, wrapped }) {
    await kms.importKeyMaterial({
      KeyId,
      ImportToken: bytes(token),
      EncryptedKeyMaterial: bytes(wrapped),
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    });
  },
  async use({ KeyId, KeyUsage, algorithms }) {
    for (const algorithm of algorithms) await uses[KeyUsage](KeyId, algorithm);
  },
  async keep({ secret }) {
    kept.push(bytes(secret));
  },
};

process.on('message', async ({ task, request }) => {
  const answer = await tasks[task](request);
  // Handles are freed when they are collected; the later rounds are for their finalizers.
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise(setImmediate);
  }
  process.send({ answer });
});
process.send({ answer: 'ready' });
