const keyForms = 'a key id, key ARN, alias name or alias ARN';
const contextMeaning =
  'Not secret: names and values that are bound to the ciphertext. Opening it takes the same ones.';

/** What a member of a request is for. A member means the same in every operation. */
export const memberDescriptions: Readonly<Record<string, string>> = {
  AliasName: 'The name, which begins with alias/.',
  BypassPolicyLockoutSafetyCheck:
    'Accept a key policy that forbids the caller to change the policy later.',
  CiphertextBlob: 'What to open.',
  CustomKeyStoreId: 'A custom key store. This store has none.',
  CustomerMasterKeySpec: 'The former name of --key-spec.',
  Description: 'A text about the KMS key.',
  DestinationEncryptionAlgorithm: 'How to seal.',
  DestinationEncryptionContext: contextMeaning,
  DestinationKeyId: `The KMS key to seal with: ${keyForms}.`,
  DryRun: 'Check whether the request would succeed, and do nothing.',
  DryRunModifiers: 'What a dry run may leave unchecked.',
  EncryptionAlgorithm: 'How to seal or open.',
  EncryptionContext: contextMeaning,
  GrantTokens: 'Tokens of grants that are too new to be known everywhere.',
  KeyId: `The KMS key: ${keyForms}.`,
  KeyPairSpec: 'The kind of the pair.',
  KeySpec: 'The kind of the key.',
  KeyUsage: 'What the KMS key is for.',
  Limit: 'How many entries to return; the output then has NextMarker and Truncated.',
  Marker: 'NextMarker of the page before.',
  MultiRegion: 'Make a multi-Region primary key.',
  NumberOfBytes: 'The length.',
  Origin: 'Where the key material comes from.',
  PendingWindowInDays: 'The waiting period.',
  Plaintext: 'What to seal.',
  Policy: 'The key policy, as JSON text; without it, the account may do everything.',
  Recipient: 'An enclave to encrypt the response for.',
  SourceEncryptionAlgorithm: 'How the ciphertext was sealed.',
  SourceEncryptionContext: 'The encryption context that the ciphertext was sealed with.',
  SourceKeyId: `The KMS key that the ciphertext must have been sealed with: ${keyForms}.`,
  Tags: 'Names and values that are attached to the KMS key.',
  TargetKeyId: 'The KMS key that the alias names: a key id or key ARN.',
  XksKeyId: 'A key of an external key store. This store has none.',
};
