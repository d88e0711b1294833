/** What the HTTP server and the command line need of access keys. */
export type {
  Credential,
  CredentialDirectory,
  CredentialRecord,
  CredentialSecrets,
  NewCredential,
} from '../keys/credential-directory.ts';
