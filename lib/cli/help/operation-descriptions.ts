import type { OperationName } from '../../model/shapes.ts';

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
    ConnectCustomKeyStore: {
      summary: 'custom key stores are not offered',
      description:
        'Custom key stores are not offered: the keys of pairmint live in its own store. This ' +
        'operation answers CustomKeyStoreNotFoundException, whatever store it names.',
      example: '',
    },
    CreateAlias: {
      summary: 'give a KMS key a name',
      description:
        'Gives a KMS key a name that begins with alias/ and can stand wherever a key id can. ' +
        'Names that begin with alias/aws/ are reserved.',
      example: '--alias-name alias/invoices --target-key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    CreateCustomKeyStore: {
      summary: 'custom key stores are not offered',
      description:
        'Custom key stores are not offered: the keys of pairmint live in its own store. This ' +
        'operation answers UnsupportedOperationException.',
      example: '',
    },
    CreateGrant: {
      summary: 'let a principal use a KMS key',
      description:
        'Gives a principal some operations on a KMS key, whatever the policies say, until the ' +
        'grant is retired or revoked. A constraint can bind it to an encryption context.',
      example:
        '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --grantee-principal ' +
        'arn:aws:iam::000000000000:role/billing --operations Decrypt',
    },
    CreateKey: {
      summary: 'make a KMS key',
      description:
        'Makes a KMS key in the store. Its material is random, is wrapped under the root key, and ' +
        'never leaves native memory in the clear.',
      example: '--description "invoices" --tags TagKey=team,TagValue=billing',
    },
    Decapsulate: {
      summary: 'ML-KEM is not offered',
      description:
        'ML-KEM is not offered: no key that could be used is made here. This operation answers ' +
        'UnsupportedOperationException.',
      example:
        '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --encapsulation-algorithm ML_KEM ' +
        '--shared-secret-ciphertext-blob fileb://encapsulated',
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
    DeleteCustomKeyStore: {
      summary: 'custom key stores are not offered',
      description:
        'Custom key stores are not offered: the keys of pairmint live in its own store. This ' +
        'operation answers CustomKeyStoreNotFoundException, whatever store it names.',
      example: '',
    },
    DeleteImportedKeyMaterial: {
      summary: 'delete the imported material of a KMS key',
      description:
        'Deletes imported key material at once. The KMS key is of no use until the same ' +
        'material is imported again.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    DeriveSharedSecret: {
      summary: 'derive a secret that two key pairs share',
      description:
        'Derives the secret that the private key of a KMS key and the public key of another ' +
        'party share (ECDH). Feed it to a key derivation function before use.',
      example:
        '--key-id alias/agreement --key-agreement-algorithm ECDH --public-key fileb://peer.der',
    },
    DescribeCustomKeyStores: {
      summary: 'list the custom key stores; the list is always empty',
      description:
        'Lists no custom key stores: they are not offered, as the keys of pairmint live in its ' +
        'own store. One that is named is not found.',
      example: '',
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
    DisableKeyRotation: {
      summary: 'stop rotating a KMS key automatically',
      description:
        'Stops the automatic rotation of a KMS key. Material that it has had so far still ' +
        'opens what it sealed.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    DisconnectCustomKeyStore: {
      summary: 'custom key stores are not offered',
      description:
        'Custom key stores are not offered: the keys of pairmint live in its own store. This ' +
        'operation answers CustomKeyStoreNotFoundException, whatever store it names.',
      example: '',
    },
    EnableKey: {
      summary: 'allow the use of a disabled KMS key',
      description: 'Makes a disabled KMS key usable again.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    EnableKeyRotation: {
      summary: 'rotate a KMS key automatically',
      description:
        'Gives a symmetric KMS key fresh material at regular intervals. What older material ' +
        'sealed can still be opened.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --rotation-period-in-days 180',
    },
    Encapsulate: {
      summary: 'ML-KEM is not offered',
      description:
        'ML-KEM is not offered: no key that could be used is made here. This operation answers ' +
        'UnsupportedOperationException.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --encapsulation-algorithm ML_KEM',
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
        'Returns a random data key sealed under a KMS key and nothing in the clear: for programs ' +
        'that store keys for others to use.',
      example: '--key-id alias/pairmint/default --key-spec AES_256',
    },
    GenerateMac: {
      summary: 'compute an HMAC',
      description: 'Computes the HMAC of a message with an HMAC KMS key.',
      example: '--key-id alias/tags --message fileb://message --mac-algorithm HMAC_SHA_256',
    },
    GenerateRandom: {
      summary: 'return random bytes',
      description: 'Returns bytes of the random generator that keys are made with, up to 1024.',
      example: '--number-of-bytes 32',
    },
    GetKeyLastUsage: {
      summary: 'the last use of a KMS key is not noted',
      description:
        'The last use of a KMS key is not noted: it would cost a write for every use. The audit ' +
        'has every use. This operation answers UnsupportedOperationException.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    GetKeyPolicy: {
      summary: 'show the key policy of a KMS key',
      description: 'Shows the policy that says who may do what with a KMS key.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    GetKeyRotationStatus: {
      summary: 'show whether a KMS key is rotated',
      description: 'Shows whether a KMS key is rotated automatically, how often, and when next.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    GetParametersForImport: {
      summary: 'begin to import key material',
      description:
        'Makes a wrapping key for key material that is to be imported. Returns its public key ' +
        'and a token that goes with it; both can be used for 24 hours.',
      example:
        '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --wrapping-algorithm RSAES_OAEP_SHA_256 ' +
        '--wrapping-key-spec RSA_4096',
    },
    GetPublicKey: {
      summary: 'show the public key of an asymmetric KMS key',
      description:
        'Returns the public key (SubjectPublicKeyInfo, DER) of an asymmetric KMS key, for use ' +
        'without KMS.',
      example: '--key-id alias/signing',
    },
    ImportKeyMaterial: {
      summary: 'import key material',
      description:
        'Imports key material, wrapped with the public key of get-parameters-for-import, into ' +
        'a KMS key of origin EXTERNAL.',
      example:
        '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --import-token fileb://token ' +
        '--encrypted-key-material fileb://wrapped --expiration-model ' +
        'KEY_MATERIAL_DOES_NOT_EXPIRE',
    },
    ListAliases: {
      summary: 'list the names of KMS keys',
      description: 'Lists the aliases of the store, all or those of one KMS key.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    ListGrants: {
      summary: 'list the grants on a KMS key',
      description: 'Lists the grants on a KMS key: all of them, one, or those of one grantee.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    ListKeyPolicies: {
      summary: 'list the names of the key policies of a KMS key',
      description:
        'Lists the names of the policies of a KMS key. There is one, and its name is default.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    ListKeyRotations: {
      summary: 'list the rotations of a KMS key',
      description: 'Lists the rotations that a KMS key went through, or all its key material.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    ListKeys: {
      summary: 'list the KMS keys',
      description: 'Lists the id and the ARN of each KMS key of the store.',
      example: '',
    },
    ListResourceTags: {
      summary: 'list the tags of a KMS key',
      description: 'Lists the names and values that are attached to a KMS key.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    ListRetirableGrants: {
      summary: 'list the grants that a principal may retire',
      description:
        'Lists the grants, on all KMS keys of the account, that name a principal as the one ' +
        'who retires them.',
      example: '--retiring-principal arn:aws:iam::000000000000:role/billing',
    },
    PutKeyPolicy: {
      summary: 'replace the key policy of a KMS key',
      description:
        'Replaces the policy that says who may do what with a KMS key. A policy that would ' +
        'lock its author out is refused.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --policy file://policy.json',
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
    ReplicateKey: {
      summary: 'copy a multi-Region KMS key to another region',
      description:
        'Makes a replica of a multi-Region primary key in another region of the store. Both ' +
        'open what either sealed.',
      example: '--key-id mrk-1234abcd12ab34cd56ef1234567890ab --replica-region eu-west-1',
    },
    RetireGrant: {
      summary: 'end a grant as the one who was given it',
      description:
        'Deletes a grant, named by its token or by its id and the ARN of its KMS key. For the ' +
        'retiring principal, a grantee with RetireGrant, or the account that made it.',
      example: '--grant-token AQpAM2RhZ...',
    },
    RevokeGrant: {
      summary: 'end a grant as the administrator of its KMS key',
      description: 'Deletes a grant. It counts no more on return.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --grant-id 0c237476b39f8bc4...',
    },
    RotateKeyOnDemand: {
      summary: 'rotate a KMS key now',
      description:
        'Gives a symmetric KMS key fresh material at once. What older material sealed can ' +
        'still be opened.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
    },
    ScheduleKeyDeletion: {
      summary: 'delete a KMS key after a waiting period',
      description:
        'Sets a KMS key to be deleted after a waiting period of 7 to 30 days. It cannot be used ' +
        'meanwhile. What it sealed cannot be opened once it is gone.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --pending-window-in-days 7',
    },
    Sign: {
      summary: 'sign a message or its digest',
      description:
        'Signs a message of up to 4096 bytes, or the digest of a longer one, with an ' +
        'asymmetric KMS key.',
      example:
        '--key-id alias/signing --message fileb://digest --message-type DIGEST ' +
        '--signing-algorithm RSASSA_PSS_SHA_256',
    },
    TagResource: {
      summary: 'attach tags to a KMS key',
      description:
        'Attaches names and values to a KMS key. A name that is there gets the new value.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --tags TagKey=team,TagValue=billing',
    },
    UntagResource: {
      summary: 'remove tags from a KMS key',
      description:
        'Removes tags from a KMS key by their names. Those that are not there are passed over.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --tag-keys team',
    },
    UpdateAlias: {
      summary: 'make a name stand for another KMS key',
      description: 'Moves an alias to another KMS key of the same kind.',
      example: '--alias-name alias/invoices --target-key-id 0987dcba-09fe-87dc-65ba-ab0987654321',
    },
    UpdateCustomKeyStore: {
      summary: 'custom key stores are not offered',
      description:
        'Custom key stores are not offered: the keys of pairmint live in its own store. This ' +
        'operation answers CustomKeyStoreNotFoundException, whatever store it names.',
      example: '',
    },
    UpdateKeyDescription: {
      summary: 'replace the description of a KMS key',
      description: 'Replaces the text about a KMS key.',
      example: '--key-id 1234abcd-12ab-34cd-56ef-1234567890ab --description "invoices of 2027"',
    },
    UpdatePrimaryRegion: {
      summary: 'make a replica the primary key',
      description:
        'Makes the replica in another region the primary of a multi-Region KMS key, and the ' +
        'primary a replica.',
      example: '--key-id mrk-1234abcd12ab34cd56ef1234567890ab --primary-region eu-west-1',
    },
    Verify: {
      summary: 'verify a signature',
      description:
        'Verifies a signature of sign with the public key of an asymmetric KMS key. A ' +
        'signature that is not valid is an error.',
      example:
        '--key-id alias/signing --message fileb://digest --message-type DIGEST --signature ' +
        'fileb://signature --signing-algorithm RSASSA_PSS_SHA_256',
    },
    VerifyMac: {
      summary: 'verify an HMAC',
      description: 'Verifies an HMAC of generate-mac. One that is not valid is an error.',
      example:
        '--key-id alias/tags --message fileb://message --mac fileb://mac --mac-algorithm ' +
        'HMAC_SHA_256',
    },
  };

export const operationNames = Object.keys(operationDescriptions) as readonly OperationName[];
