import type { Pairmint } from '../../lib/pairmint.ts';

/** What a call needs: a KeyId in any form, and a ciphertext that the key made without a context. */
export interface Subject {
  readonly KeyId: string;
  readonly blob: Uint8Array;
}

type Calls = Readonly<Record<string, (subject: Subject) => object>>;

const Plaintext = Buffer.from('x');

/** The cryptographic operations, each in the shortest request that succeeds. */
export const cryptographicCalls = {
  Decrypt: ({ KeyId, blob }) => ({ KeyId, CiphertextBlob: blob }),
  Encrypt: ({ KeyId }) => ({ KeyId, Plaintext }),
  GenerateDataKey: ({ KeyId }) => ({ KeyId, KeySpec: 'AES_256' }),
  GenerateDataKeyPair: ({ KeyId }) => ({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }),
  GenerateDataKeyPairWithoutPlaintext: ({ KeyId }) => ({ KeyId, KeyPairSpec: 'SM2' }),
  GenerateDataKeyWithoutPlaintext: ({ KeyId }) => ({ KeyId, NumberOfBytes: 1 }),
  ReEncrypt: ({ KeyId, blob }) => ({
    CiphertextBlob: blob,
    SourceKeyId: KeyId,
    DestinationKeyId: KeyId,
  }),
} as const satisfies Calls;

/** The operations that take a key id or ARN and refuse aliases. */
export const keyOnlyCalls = {
  CancelKeyDeletion: ({ KeyId }) => ({ KeyId }),
  CreateAlias: ({ KeyId }) => ({ AliasName: 'alias/made', TargetKeyId: KeyId }),
  DisableKey: ({ KeyId }) => ({ KeyId }),
  EnableKey: ({ KeyId }) => ({ KeyId }),
  ListAliases: ({ KeyId }) => ({ KeyId }),
  ScheduleKeyDeletion: ({ KeyId }) => ({ KeyId }),
} as const satisfies Calls;

export const names = <T extends object>(calls: T) => Object.keys(calls) as (keyof T & string)[];

export type Cryptographic = keyof typeof cryptographicCalls;
export type KeyOnly = keyof typeof keyOnlyCalls;

export function callCryptographic(
  kms: Pairmint,
  operation: Cryptographic,
  subject: Subject,
  more: object = {},
): Promise<object> {
  return kms.call(operation, { ...cryptographicCalls[operation](subject), ...more });
}

export function callKeyOnly(kms: Pairmint, operation: KeyOnly, KeyId: string): Promise<object> {
  return kms.call(operation, keyOnlyCalls[operation]({ KeyId, blob: new Uint8Array(1) }));
}
