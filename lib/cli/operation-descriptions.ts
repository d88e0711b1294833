import type { OperationName } from '../model/shapes.ts';

export interface OperationDescription {
  /** One line for the list of operations. */
  readonly summary: string;
  readonly description: string;
  /** What to write after the operation's name. */
  readonly example: string;
}

const pairExample = '--key-id alias/pairmint/default --key-pair-spec ECC_NIST_P384';

/** The operations that the command line offers: those of lib/operations, which a test compares. */
export const operationDescriptions: Readonly<Partial<Record<OperationName, OperationDescription>>> =
  {
    CancelKeyDeletion: {
      summary: 'keep a KMS key that waits for its deletion',
      description:
        'Takes a KMS key back from deletion while its waiting period runs. The key is disabled ' +
        'afterwards; enable-key makes it usable again.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    CreateAlias: {
      summary: 'give a KMS key a name',
      description:
        'Gives a KMS key a name that begins with alias/ and can stand wherever a key id can. ' +
        'Names that begin with alias/aws/ are reserved.',
      example: '--alias-name alias/invoices --target-key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    CreateKey: {
      summary: 'make a KMS key',
      description:
        'Makes a KMS key in the store. Its material is random, is wrapped under the root key, and ' +
        'never leaves native memory in the clear.',
      example: '--description "invoices" --tags TagKey=team,TagValue=billing',
    },
    Decrypt: {
      summary: 'open what a KMS key sealed',
      description:
        'Opens a ciphertext of encrypt, generate-data-key or generate-data-key-pair. The ' +
        'encryption context must be the one that it was sealed with.',
      example: '--ciphertext-blob fileb://private-key.sealed --encryption-context app=billing',
    },
    DeleteAlias: {
      summary: 'take a name from a KMS key',
      description: 'Removes an alias. The KMS key that it named is not touched.',
      example: '--alias-name alias/invoices',
    },
    DescribeKey: {
      summary: 'show the properties of a KMS key',
      description: 'Shows what is known of a KMS key: its ARN, its state, its use and its dates.',
      example: '--key-id alias/pairmint/default',
    },
    DisableKey: {
      summary: 'forbid the use of a KMS key for now',
      description:
        'Makes a KMS key refuse to seal and to open until enable-key is called. Nothing is lost.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    EnableKey: {
      summary: 'allow the use of a disabled KMS key',
      description: 'Makes a disabled KMS key usable again.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    Encrypt: {
      summary: 'seal up to 4096 bytes with a KMS key',
      description:
        'Seals up to 4096 bytes under a KMS key, bound to the encryption context. For more data ' +
        'use a data key.',
      example: '--key-id alias/pairmint/default --plaintext fileb://password.txt',
    },
    GenerateDataKey: {
      summary: 'make a symmetric data key, plain and sealed',
      description:
        'Returns a random data key twice: in the clear, for use now, and sealed under a KMS key, ' +
        'for keeping. Give its length by --key-spec or by --number-of-bytes.',
      example: '--key-id alias/pairmint/default --key-spec AES_256',
    },
    GenerateDataKeyPair: {
      summary: 'make a data key pair, its private key plain and sealed',
      description:
        'Mints an asymmetric data key pair. Returns the public key and the private key twice: in ' +
        'the clear (PKCS #8, DER), for use now, and sealed under a KMS key, for keeping.',
      example: pairExample,
    },
    GenerateDataKeyPairWithoutPlaintext: {
      summary: 'make a data key pair, its private key sealed',
      description:
        'Mints an asymmetric data key pair. Returns the public key (SubjectPublicKeyInfo, DER) ' +
        'and the private key sealed under a KMS key; decrypt opens it. The private key is in the ' +
        'clear in native memory only, while it is minted and sealed.',
      example: pairExample,
    },
    GenerateDataKeyWithoutPlaintext: {
      summary: 'make a symmetric data key, sealed',
      description:
        'Returns a random data key sealed under a KMS key and nothing in the clear: for whoever ' +
        'stores keys that others will use.',
      example: '--key-id alias/pairmint/default --key-spec AES_256',
    },
    GenerateRandom: {
      summary: 'return random bytes',
      description: 'Returns bytes of the random generator that keys are made with, up to 1024.',
      example: '--number-of-bytes 32',
    },
    ListAliases: {
      summary: 'list the names of KMS keys',
      description: 'Lists the aliases of the store, all or those of one KMS key.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    ListKeys: {
      summary: 'list the KMS keys',
      description: 'Lists the id and the ARN of each KMS key of the store.',
      example: '',
    },
    ReEncrypt: {
      summary: 'seal a ciphertext anew, under another KMS key or context',
      description:
        'Opens a ciphertext and seals what was in it under another KMS key, another encryption ' +
        'context, or both. The plaintext stays in native memory.',
      example:
        '--ciphertext-blob fileb://old.sealed --destination-key-id alias/invoices ' +
        '--destination-encryption-context app=billing',
    },
    ScheduleKeyDeletion: {
      summary: 'delete a KMS key after a waiting period',
      description:
        'Sets a KMS key to be deleted after a waiting period of 7 to 30 days. It cannot be used ' +
        'meanwhile. What it sealed cannot be opened once it is gone.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --pending-window-in-days 7',
    },
    UpdateAlias: {
      summary: 'make a name stand for another KMS key',
      description: 'Moves an alias to another KMS key of the same kind.',
      example: '--alias-name alias/invoices --target-key-id 0987dcba-09fe-87dc-65ba-ab0987654321',
    },
  };

export const operationNames = Object.keys(operationDescriptions) as readonly OperationName[];
