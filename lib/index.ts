export type { Load, WorkKind } from './admission.ts';
export type { AuditEvent, AuditSink } from './audit.ts';
export { ConfigurationError } from './configuration-error.ts';
export { KmsError, type KmsErrorName } from './model/errors.ts';
export type * from './model/types.ts';
export {
  type BatchOptions,
  type CallerOptions,
  type Capabilities,
  type OpenOptions,
  Pairmint,
  type RequestOptions,
  type StoreDescription,
} from './pairmint.ts';
export type { RequestOrigin } from './policy/request-facts.ts';
export type {
  FillOptions,
  FillProgress,
  PoolApi,
  PoolDescription,
  PoolId,
  PoolSettings,
} from './pool/pool-api.ts';
export type { CheckReport } from './service/check.ts';
export type { StoreApi } from './service/store-api.ts';
export type {
  Credential,
  CredentialDirectory,
  CredentialRecord,
  CredentialSecrets,
  NewCredential,
} from './store/credential-directory.ts';
export type { Entry } from './store/key-store.ts';
export type { RootKeySource } from './store/open-store.ts';
