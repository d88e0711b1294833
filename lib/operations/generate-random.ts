import { refuseRecipient } from '../keys/key-checks.ts';
import { KmsError } from '../model/errors.ts';
import { customKeyStoreNotFound } from './custom-key-stores.ts';
import { authorizeIdentity } from './rules/access.ts';
import type { Operation } from './rules/operation.ts';

/** KMS API Reference, GenerateRandom. */
export const generateRandom: Operation<'GenerateRandom'> = {
  name: 'GenerateRandom',
  readOnly: true,
  async run(services, { NumberOfBytes, CustomKeyStoreId, Recipient }) {
    authorizeIdentity(services);
    if (NumberOfBytes === undefined) {
      throw new KmsError('ValidationException', 'NumberOfBytes is required.');
    }
    if (CustomKeyStoreId !== undefined) {
      throw customKeyStoreNotFound();
    }
    refuseRecipient(Recipient);
    return { Plaintext: services.native.generateRandom(NumberOfBytes) };
  },
};
