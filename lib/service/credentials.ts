/** What doors need of access keys. */
export type {
  Credential,
  CredentialDirectory,
  CredentialRecord,
  CredentialSecrets,
  NewCredential,
} from '../keys/credential-directory.ts';
