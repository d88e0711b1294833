import { KmsError } from '../model/errors.ts';
import { refuseRecipient } from './key-checks.ts';
import type { Operation } from './operation.ts';

/** KMS API Reference, GenerateRandom. */
export const generateRandom: Operation<'GenerateRandom'> = {
  name: 'GenerateRandom',
  async run({ native }, { NumberOfBytes, CustomKeyStoreId, Recipient }) {
    if (NumberOfBytes === undefined) {
      throw new KmsError('ValidationException', 'NumberOfBytes is required.');
    }
    if (CustomKeyStoreId !== undefined) {
      throw new KmsError('UnsupportedOperationException', 'Custom key stores are not supported.');
    }
    refuseRecipient(Recipient);
    return { Plaintext: native.generateRandom(NumberOfBytes) };
  },
};
